import { findProfile, PROFILES } from '../../nic/index.js';
import { nicListText, nicReport, nicText } from '../../report/index.js';
import type { Command } from '../command.js';
import { EXIT_OK } from '../exitCodes.js';
import { headingStyle, reportProblem } from '../output.js';
import type { Terminal } from '../output.js';
import { closestTo } from '../spelling.js';

interface NicArguments {
  readonly what: readonly string[];
  readonly json: boolean;
}

/** `sim nic list` and `sim nic show NAME`. */
export const nicCommand: Command = {
  name: 'nic',
  describe: 'list the NICs, or show one as ethtool would',
  positionals: [['what', 'list, or show NAME']],
  variadic: true,
  options: { json: { type: 'boolean', default: false, describe: 'print as JSON' } },
  examples: [
    ['sim nic list', 'all NICs'],
    ['sim nic show igb', 'driver, rings, channels, XDP features'],
  ],
  epilogue: 'Exit status: 0 done; 2 wrong usage.',
  run: (terminal, args) => nic(terminal, args as unknown as NicArguments),
};

function nic(terminal: Terminal, { what: [verb, name, ...rest], json }: NicArguments): number {
  const print = (value: unknown, text: string): number => {
    terminal.out.write(json ? `${JSON.stringify(value, undefined, 2)}\n` : text);
    return EXIT_OK;
  };
  if (verb === 'list' && name === undefined) {
    return print({ schema: 1, nics: PROFILES.map((profile) => ({ name: profile.name, description: profile.description })) }, nicListText(PROFILES));
  }
  if (verb !== 'show' || name === undefined || rest.length > 0) {
    return reportProblem(terminal, { code: 'usage', where: 'sim nic', message: "expected 'list' or 'show NAME'", hint: 'sim nic list' });
  }
  const profile = findProfile(name);
  if (profile === undefined) {
    const closest = closestTo(name, PROFILES.map((known) => known.name));
    const hint = closest === undefined ? 'sim nic list shows all' : `did you mean ${closest}?`;
    return reportProblem(terminal, { code: 'nic-unknown', where: 'sim nic show', message: `there is no NIC '${name}'`, hint });
  }
  return print(nicReport(profile), nicText(profile, headingStyle(terminal)));
}
