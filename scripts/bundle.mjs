// Puts the compiled modules of each door of the package together: hundreds of small files take Node a third of a second to find and load,
// a few larger ones take a fifth of that. All doors share their modules, so that an object that one made is the other's, too. Types
// stay beside the modules.

import { chmod, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const OUT = 'dist/bundle';

const { exports: doors, bin, dependencies, peerDependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
const files = [...Object.values(doors).flatMap((door) => door.default ?? []), ...Object.values(bin).map((path) => `./${path}`)];
const names = files.map((file) => file.replace(`./${OUT}/`, '').replace(/\.js$/, ''));

const external = [/^node:/, ...Object.keys({ ...dependencies, ...peerDependencies }).map((name) => new RegExp(`^${name}(/|$)`))];
const bundle = await rolldown({ input: Object.fromEntries(names.map((name) => [name, join(root, 'dist', `${name}.js`)])), external, platform: 'node' });
await rm(join(root, OUT), { recursive: true, force: true });
await bundle.write({ dir: join(root, OUT), format: 'esm', entryFileNames: '[name].js', chunkFileNames: 'chunks/[name]-[hash].js' });
// The command that isn't bundled can be started, too: npx remembers where it found it.
for (const path of Object.values(bin)) for (const file of [path, path.replace(`${OUT}/`, 'dist/')]) await chmod(join(root, file), 0o755);
