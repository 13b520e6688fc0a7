import { describe, it } from 'vitest';
import { formatProblem } from '../../src/base/index.js';
import type { KernelBpf } from '../../src/replay/index.js';
import { probeKernel } from '../../src/replay/index.js';

const probed = await probeKernel();

/** The running kernel as oracle, or `undefined` where bpf(2) can't be used. */
export const kernelOracle: KernelBpf | undefined = probed.ok ? probed.value : undefined;

/** A `describe` whose tests ask the running kernel. Where that is impossible they are skipped, with one loud line that says why. */
export function withKernel(name: string, body: (kernel: KernelBpf) => void): void {
  if (probed.ok) {
    describe(name, () => body(probed.value));
    return;
  }
  console.warn(`SKIPPED, not compared with the kernel: ${name}: ${formatProblem(probed.problem)}`);
  describe(name, () => {
    it.skip('needs a kernel that allows bpf(2)', () => {});
  });
}
