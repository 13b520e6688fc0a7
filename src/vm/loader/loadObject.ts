import { readFileSync, statSync } from 'node:fs';
import { fail } from '../../base/index.js';
import type { Result } from '../../base/index.js';
import type { ObjectSpec } from '../spec.js';
import { loadObjectBytes } from './loadObjectBytes.js';
import type { LoadObjectOptions } from './loadObjectBytes.js';

export { loadObjectBytes };
export type { InnerMapChoice } from './innerMaps.js';
export type { LoadObjectOptions };

/** The largest known XDP object has 3 MB. */
const MAX_FILE_BYTES = 256 << 20;

/** Reads an object from disk; see `loadObjectBytes`. A path that can't be read is a Problem too. */
export function loadObjectFile(path: string, options: LoadObjectOptions = {}): Result<ObjectSpec> {
  const hint = 'give the object file that clang -target bpf wrote';
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) return fail({ code: 'file-is-directory', message: 'this is a directory', where: path, hint });
    if (!stat.isFile()) return fail({ code: 'file-not-regular', message: 'this is no regular file', where: path, hint });
    if (stat.size > MAX_FILE_BYTES) {
      return fail({ code: 'file-too-big', message: `${stat.size} bytes are more than an object may have (${MAX_FILE_BYTES})`, where: path, hint });
    }
    return loadObjectBytes(readFileSync(path), path, options);
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error;
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') {
      return fail({ code: 'file-missing', message: 'there is no such file', where: path, hint: 'check the path' });
    }
    return fail({ code: 'file-unreadable', message: `can't be read (${String(error.code)})`, where: path, hint: 'check its permissions' });
  }
}
