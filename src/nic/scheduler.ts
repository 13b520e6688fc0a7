export type { Scheduler } from '../base/index.js';
