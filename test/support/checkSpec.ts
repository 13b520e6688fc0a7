import { formatValue } from '../../src/vm/index.js';
import type { ObjectSpec } from '../../src/vm/index.js';

/** Everything that the users of an ObjectSpec rely on. */
export function checkSpec(object: ObjectSpec): void {
  const maps = new Map(object.maps.map((map) => [map.name, map]));
  if (maps.size !== object.maps.length) throw new Error('two maps of one name');
  for (const map of object.maps) {
    if (map.initialValue !== undefined) {
      if (map.initialValue.length !== map.valueSize) throw new Error('initial value of another size');
      formatValue(object.btf, map.valueTypeId, map.initialValue);
    }
  }
  for (const { map, offBytes, sizeBytes } of object.variables) {
    if (offBytes + sizeBytes > maps.get(map)!.valueSize) throw new Error('variable outside its map');
  }
  for (const program of object.programs) {
    const count = program.insns.length / 8;
    if (!Number.isInteger(count) || count === 0) throw new Error('no whole instructions');
    for (const { insnIndex, map, kind, offBytes } of program.references) {
      if (program.insns[insnIndex * 8] !== 0x18 || insnIndex + 1 >= count) throw new Error('reference without a lddw');
      if (kind === 'value' && offBytes >= maps.get(map)!.valueSize) throw new Error('reference outside its map');
    }
    for (const { insnIndex, targetInsnIndex } of program.functionReferences ?? []) {
      if (program.insns[insnIndex * 8] !== 0x18 || insnIndex + 1 >= count) throw new Error('address of a function without a lddw');
      if (!program.functions.some((fn) => fn.insnIndex === targetInsnIndex)) throw new Error('address of no function');
    }
    for (const { insnIndex } of program.kfuncAddresses ?? []) {
      if (program.insns[insnIndex * 8] !== 0x18 || insnIndex + 1 >= count) throw new Error('address of a kernel function without a lddw');
    }
    for (const { insnIndex } of [...(program.kfuncs ?? []), ...(program.poisons ?? [])]) {
      if (program.insns[insnIndex * 8] !== 0x85) throw new Error('call of a kernel function, or poison, that is no call');
    }
    for (const { insnIndex } of [...program.functions, ...program.lines]) if (insnIndex >= count) throw new Error('place outside the program');
  }
}
