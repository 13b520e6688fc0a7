import { BPF_PSEUDO_KFUNC_CALL, immAt, srcAt } from '../../../src/vm/index.js';
import type { KfuncReference, MapSpec, ObjectSpec } from '../../../src/vm/index.js';
import { textObject } from '../support/differential.js';

const CALL = 0x85;

/** An object with the program `main` as text, in which `call NAME` calls the kernel function `bpf_NAME`; it can handle packets of several buffers. */
export function kfuncObject(text: string, maps: readonly MapSpec[] = []): ObjectSpec {
  const names: string[] = [];
  const numbered = text.replace(/call ([a-z]\w+)/g, (_, name: string) => `call kfunc#${names.push(`bpf_${name}`) - 1}`);
  const object = textObject(numbered, maps, { license: 'GPL' });
  const [main] = object.programs;
  const { insns } = main!;
  const kfuncs: KfuncReference[] = [];
  for (let insnIndex = 0; insnIndex < insns.length / 8; insnIndex++) {
    if (insns[insnIndex * 8] !== CALL || srcAt(insns, insnIndex) !== BPF_PSEUDO_KFUNC_CALL) continue;
    kfuncs.push({ insnIndex, name: names[immAt(insns, insnIndex)]!, isWeak: false });
  }
  return { ...object, programs: [{ ...main!, kfuncs, frags: true }] };
}
