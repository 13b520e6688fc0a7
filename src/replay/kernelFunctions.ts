import { fail, ok } from '../base/index.js';
import type { Result } from '../base/index.js';
import { loadKernelTypes } from '../vm/index.js';
import type { KernelTypes, KfuncReference } from '../vm/index.js';

const VMLINUX = '/sys/kernel/btf/vmlinux';

/** Numbers of the running kernel's functions: the ids of their BTF, which BPF_PROG_LOAD takes. The types are read when the first name is asked for. */
export class KernelFunctions {
  #types: Result<KernelTypes> | undefined;
  readonly #ids = new Map<string, number | undefined>();

  /** The types of the running kernel. Problems: those of `loadKernelTypes`. */
  types(): Result<KernelTypes> {
    this.#types ??= loadKernelTypes(VMLINUX);
    return this.#types;
  }

  /** Id of a function in the BTF of vmlinux; `undefined` when the kernel has none of that name. Problems: those of `loadKernelTypes`. */
  id(name: string): Result<number | undefined> {
    if (this.#ids.has(name)) return ok(this.#ids.get(name));
    const types = this.types();
    if (!types.ok) return types;
    const id = types.value.find('func', name);
    this.#ids.set(name, id);
    return ok(id);
  }

  /** Ids of all functions that a program calls or asks for. Problem: `kernel-kfunc-missing` for one that isn't weak. */
  idsOf(references: readonly KfuncReference[], where: string): Result<ReadonlyMap<string, number>> {
    const ids = new Map<string, number>();
    for (const { name, isWeak } of references) {
      const id = this.id(name);
      if (!id.ok) return id;
      if (id.value !== undefined) ids.set(name, id.value);
      else if (!isWeak) return fail({ code: 'kernel-kfunc-missing', message: `the running kernel has no function ${name}`, where, hint: 'declare it __weak if the program can do without' });
    }
    return ok(ids);
  }
}
