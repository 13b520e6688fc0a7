import type { Command } from '../command.js';
import { checkCommand } from './check.js';
import { conformancePluginCommand } from './conformancePlugin.js';
import { disasmCommand } from './disasm.js';
import { inspectCommand } from './inspect.js';
import { nicCommand } from './nic.js';
import { replayCommand } from './replay.js';
import { runCommand } from './run.js';
import { scenarioCommand } from './scenario.js';

/** All commands, in the order of the help. */
export const COMMANDS: readonly Command[] = [runCommand, scenarioCommand, checkCommand, replayCommand, inspectCommand, disasmCommand, nicCommand, conformancePluginCommand];
