import type { XskApplicationFactory } from './application.js';
import { l2fwd } from './l2fwd.js';
import { rxdrop } from './rxdrop.js';

/** The applications of `--xsk`, by name. A new one is a file beside this and a row here. */
export const XSK_APPLICATIONS: Readonly<Record<string, XskApplicationFactory>> = { rxdrop, l2fwd };
