import { fail, ok } from '../base/index.js';
import type { Result } from '../base/index.js';
import type { ObjectSpec } from '../vm/index.js';

/**
 * The program to attach: the one that was asked for, or the only one that belongs on a device, or the one that others were linked into. Programs for entries of a DEVMAP or
 * CPUMAP can be asked for, but the NIC refuses them.
 *
 * Problems: `no-xdp-program`, `unknown-program`, `several-programs`.
 */
export function chooseProgram(object: ObjectSpec, name: string | undefined): Result<string> {
  const programs = object.programs.filter((program) => program.type === 'xdp');
  const names = programs.map((program) => program.name).join(', ');
  if (programs.length === 0) {
    const others = object.programs.map((program) => `${program.name} in section ${program.section}`);
    return fail({
      code: 'no-xdp-program',
      where: object.name,
      message: `no XDP program${others.length === 0 ? '' : `, only ${others.join(', ')}`}`,
      hint: object.programs.some(({ replaces }) => replaces !== undefined) ? 'give the program that it extends too: sim run target.o extension.o' : 'put the program into SEC("xdp")',
    });
  }
  if (name !== undefined) {
    if (programs.some((program) => program.name === name)) return ok(name);
    return fail({ code: 'unknown-program', where: object.name, message: `no XDP program ${name}`, hint: `choose with --prog one of: ${names}` });
  }
  const attachable = programs.filter((program) => program.attachType === 'xdp');
  const linked = attachable.find(({ parts = [] }) => parts.length > 1);
  if (linked !== undefined) return ok(linked.name);
  if (attachable.length === 1) return ok(attachable[0].name);
  if (programs.length === 1) return ok(programs[0].name);
  return fail({ code: 'several-programs', where: object.name, message: `${programs.length} XDP programs: ${names}`, hint: 'choose one with --prog' });
}

