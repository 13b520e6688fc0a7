import { NEWEST_KERNEL, ok, parseKernelRelease } from '../../base/index.js';
import type { KernelRelease, Result } from '../../base/index.js';
import { loadKernelTypes } from '../btf/kernelTypesFile.js';
import { DEFAULT_KERNEL_CONFIG, loadKernelConfig, ofKernel } from './kernelConfig.js';
import type { LoadObjectOptions } from './loadObjectBytes.js';

/** What describes the kernel that an object is to be loaded for; files that are left out are built in. */
export interface TargetKernelFiles {
  /** BTF, for CO-RE: see `loadKernelTypes`. */
  readonly btf?: string | undefined;
  /** Configuration, for `__kconfig` variables: see `loadKernelConfig`. */
  readonly kconfig?: string | undefined;
  /** Release, one of KERNEL_RELEASES: what LINUX_KERNEL_VERSION is. */
  readonly kernel?: string | undefined;
}

/** What `loadObject` takes of it, and the release. */
export interface TargetKernel extends Pick<LoadObjectOptions, 'targetBtf' | 'kconfig'> {
  readonly kernel: KernelRelease;
}

/** Reads them. Problems: those of `parseKernelRelease`, `loadKernelTypes` and `loadKernelConfig`. */
export function loadTargetKernel({ btf, kconfig, kernel = NEWEST_KERNEL }: TargetKernelFiles): Result<TargetKernel> {
  const release = parseKernelRelease(kernel, '--kernel');
  if (!release.ok) return release;
  const types = btf === undefined ? undefined : loadKernelTypes(btf);
  if (types !== undefined && !types.ok) return types;
  const config = kconfig === undefined ? undefined : loadKernelConfig(kconfig);
  if (config !== undefined && !config.ok) return config;
  return ok({ ...(types === undefined ? {} : { targetBtf: types.value }), kconfig: ofKernel(config?.value ?? DEFAULT_KERNEL_CONFIG, release.value), kernel: release.value });
}
