/** Licences under which a program may call GPL-only helpers (license_is_gpl_compatible, include/linux/license.h, 6.18). */
const GPL_COMPATIBLE: readonly string[] = [
  'GPL',
  'GPL v2',
  'GPL and additional rights',
  'Dual BSD/GPL',
  'Dual MIT/GPL',
  'Dual MPL/GPL',
];

/** Whether the text of an object's `license` section makes its programs GPL-compatible. */
export function isGplCompatible(license: string): boolean {
  return GPL_COMPATIBLE.includes(license);
}
