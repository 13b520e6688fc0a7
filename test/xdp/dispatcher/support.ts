import { unwrap } from '../../../src/base/index.js';
import { loadObjectFile } from '../../../src/vm/index.js';
import type { ObjectSpec } from '../../../src/vm/index.js';

/** Object beside this file. */
export const ownObject = (name: string): ObjectSpec => unwrap(loadObjectFile(`test/xdp/dispatcher/objects/${name}.o`));

/** libxdp's own, as Debian has it. */
export const libxdpDispatcher = (): ObjectSpec => unwrap(loadObjectFile('fixtures/programs/xdp-tools/xdp-dispatcher.o'));

/** The object with another first value of a global variable. */
export function withVariable(object: ObjectSpec, name: string, bytes: Uint8Array): ObjectSpec {
  const variable = object.variables.find((candidate) => candidate.name === name)!;
  const maps = object.maps.map((map) => {
    if (map.name !== variable.map) return map;
    const initialValue = map.initialValue!.slice();
    initialValue.set(bytes, variable.offBytes);
    return { ...map, initialValue };
  });
  return { ...object, maps };
}

/** The program that returns the byte at a place of the packet, and adds one to it. */
export const byByte = (place: number): ObjectSpec => withVariable(ownObject('by_byte'), 'place', Uint8Array.of(place, 0, 0, 0));
