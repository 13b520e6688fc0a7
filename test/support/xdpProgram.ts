import { Rng, unwrap } from '../../src/base/index.js';
import { assemble } from '../../src/vm/isa/assemble.js';
import { decode, encode, immAt, opcodeAt } from '../../src/vm/index.js';
import type { MapReference, MapSpec, ObjectSpec, VmEnvironment } from '../../src/vm/index.js';

const LDDW = 0x18;
/** Upper half of a lddw that stands for a map, until its reference is written. */
const MAP_MARK = 0x6d6170;

export interface ProgramOptions {
  /** Can handle packets of several buffers. */
  readonly frags?: boolean;
  readonly maps?: readonly MapSpec[];
}

/** An object with one XDP program, `main`, given as text (assemble.ts); `r1 = map NAME` loads the address of a map. */
export function xdpProgram(text: string, { frags = false, maps = [] }: ProgramOptions = {}): ObjectSpec {
  const marked = text.replace(/= map (\w+)/g, (_, name: string) => {
    const index = maps.findIndex((map) => map.name === name);
    return `= 0x${MAP_MARK.toString(16)}${index.toString(16).padStart(8, '0')} ll`;
  });
  const insns = unwrap(assemble(marked));
  const references: MapReference[] = [];
  for (let index = 0; index < insns.length / 8; index++) {
    if (opcodeAt(insns, index) !== LDDW) continue;
    if (immAt(insns, index + 1) === MAP_MARK) {
      references.push({ insnIndex: index, map: maps[immAt(insns, index)].name, kind: 'map', offBytes: 0 });
      encode(insns, index, { ...decode(insns, index), imm: 0 });
      encode(insns, index + 1, { opcode: 0, dst: 0, src: 0, off: 0, imm: 0 });
    }
    index++;
  }
  const section = frags ? 'xdp.frags' : 'xdp';
  const functions = [{ name: 'main', insnIndex: 0, isHidden: false }];
  const info = { lines: [], funcInfo: new Uint8Array(0), lineInfo: new Uint8Array(0) };
  return {
    name: 'test.o',
    license: 'GPL',
    programs: [{ name: 'main', section, type: 'xdp', attachType: 'xdp', frags, insns, references, functions, ...info, problem: undefined }],
    maps,
    variables: [],
    btf: undefined,
    btfBytes: undefined,
  };
}

/** Program that returns a number. */
export const returning = (retval: number, options?: ProgramOptions): ObjectSpec => xdpProgram(`r0 = ${retval}\nexit`, options);

/** A machine's surroundings that never change. */
export const quietEnvironment = (): VmEnvironment => ({ tNs: 0, cpu: 0, possibleCpus: 1, rng: new Rng(1), onPrintk: () => {} });
