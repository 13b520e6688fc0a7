import { ok } from '../../base/index.js';
import type { Result } from '../../base/index.js';
import { loadKernelTypes } from '../btf/kernelTypesFile.js';
import { loadKernelConfig } from './kernelConfig.js';
import type { LoadObjectOptions } from './loadObjectBytes.js';

/** Files that describe the kernel which an object is to be loaded for; what is left out is built in. */
export interface TargetKernelFiles {
  /** BTF, for CO-RE: see `loadKernelTypes`. */
  readonly btf?: string | undefined;
  /** Configuration, for `__kconfig` variables: see `loadKernelConfig`. */
  readonly kconfig?: string | undefined;
}

/** Reads them. Problems: those of `loadKernelTypes` and `loadKernelConfig`. */
export function loadTargetKernel({ btf, kconfig }: TargetKernelFiles): Result<Pick<LoadObjectOptions, 'targetBtf' | 'kconfig'>> {
  const types = btf === undefined ? undefined : loadKernelTypes(btf);
  if (types !== undefined && !types.ok) return types;
  const config = kconfig === undefined ? undefined : loadKernelConfig(kconfig);
  if (config !== undefined && !config.ok) return config;
  return ok({ ...(types === undefined ? {} : { targetBtf: types.value }), ...(config === undefined ? {} : { kconfig: config.value }) });
}
