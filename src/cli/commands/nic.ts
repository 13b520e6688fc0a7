import { closestTo } from '../../base/index.js';
import { findProfile, PROFILES } from '../../nic/index.js';
import { NIC_VIEWS, nicListText, nicReport, nicText, nicViewText } from '../../report/index.js';
import type { Command } from '../command.js';
import { EXIT_OK } from '../exitCodes.js';
import { headingStyle, reportProblem } from '../output.js';
import type { Terminal } from '../output.js';

interface NicArguments {
  readonly action: readonly string[];
  readonly json: boolean;
  readonly view?: string;
}

/** `sim nic list` and `sim nic show NAME`. */
export const nicCommand: Command = {
  name: 'nic',
  describe: 'list the NICs, or show one as ethtool would',
  positionals: [['action', 'list, or show NAME']],
  variadic: true,
  options: {
    view: { type: 'string', describe: 'one view only: i, g, l, c, k, S as ethtool has them; link of ip; bpftool' },
    json: { type: 'boolean', default: false, describe: 'print as JSON' },
  },
  examples: [
    ['sim nic list', 'all NICs'],
    ['sim nic show igb', 'XDP features, then driver, rings, channels, ...'],
    ['sim nic show mlx5 --view S', 'what ethtool -S would show'],
  ],
  epilogue: 'Exit status: 0 done; 2 wrong usage.',
  run: (terminal, args) => nic(terminal, args as unknown as NicArguments),
};

function nic(terminal: Terminal, { action: [verb, name, ...rest], json, view }: NicArguments): number {
  const print = (value: unknown, text: string): number => {
    terminal.out.write(json ? `${JSON.stringify(value, undefined, 2)}\n` : text);
    return EXIT_OK;
  };
  if (verb === 'list' && name === undefined) {
    if (view !== undefined) return reportProblem(terminal, { code: 'nic-view', where: '--view', message: 'a list has no views', hint: `write sim nic show NAME --view ${view}` });
    return print({ schema: 1, nics: PROFILES.map((profile) => ({ name: profile.name, description: profile.description })) }, nicListText(PROFILES));
  }
  if (verb !== 'show' || name === undefined || rest.length > 0) {
    return reportProblem(terminal, { code: 'usage', where: 'sim nic', message: verb === 'show' && name === undefined ? 'show which NIC?' : `there is no '${[verb, name, ...rest].filter((word) => word !== undefined).join(' ')}'`, hint: 'write sim nic list, or sim nic show NAME' });
  }
  const profile = findProfile(name);
  if (profile === undefined) {
    const closest = closestTo(name, PROFILES.map((known) => known.name));
    const hint = closest === undefined ? 'sim nic list shows all' : `did you mean ${closest}?`;
    return reportProblem(terminal, { code: 'nic-unknown', where: 'sim nic show', message: `there is no NIC '${name}'`, hint });
  }
  if (view === undefined) return print(nicReport(profile), nicText(profile, headingStyle(terminal)));
  if (!Object.hasOwn(NIC_VIEWS, view)) {
    return reportProblem(terminal, { code: 'nic-view', where: '--view', message: `there is no view '${view}'`, hint: `use one of: ${Object.keys(NIC_VIEWS).join(', ')}` });
  }
  return print({ schema: 1, name, view, lines: NIC_VIEWS[view](profile) }, nicViewText(profile, view));
}
