import { fail, ok } from '../base/index.js';
import type { Result } from '../base/index.js';
import { SimulatorBackend } from '../cases/index.js';
import type { CaseBackend } from '../cases/index.js';
import { KernelBackend } from './kernelCaseBackend.js';
import { probeKernel } from './kernelSupport.js';

/**
 * The backend with this name, for tests that run on either: `simulator` (when there is no name) or `kernel`. By default the
 * environment variable XDP_SIM_BACKEND names it.
 *
 * Problems: `unknown-backend`, and those of `probeKernel`.
 */
export async function chooseBackend(name: string | undefined = process.env.XDP_SIM_BACKEND): Promise<Result<CaseBackend>> {
  switch (name ?? 'simulator') {
    case 'simulator': return ok(new SimulatorBackend());
    case 'kernel': {
      const kernel = await probeKernel();
      return kernel.ok ? ok(new KernelBackend(kernel.value)) : kernel;
    }
    default: return fail({ code: 'unknown-backend', where: 'XDP_SIM_BACKEND', message: `there is no backend '${name}'`, hint: 'use simulator or kernel' });
  }
}
