import { beforeAll, describe, expect, it } from 'vitest';
import { checkNetArguments } from '../../src/cli/netReplay.js';
import { withKernel } from '../support/kernelOracle.js';
import { ensureBuilt, sim } from '../support/simCommand.js';

beforeAll(ensureBuilt);

const CAPTURE = 'fixtures/pcaps/http.pcapng';

describe('sim replay --net: its arguments', () => {
  it.each([
    [{ net: false, mtu: 9000 }, ['cases.json'], '--mtu goes with --net'],
    [{ net: false, set: ['a=1'] }, ['cases.json'], '--set goes with --net'],
    [{ net: true }, ['prog.o'], '--net needs a capture'],
    [{ net: true, pcap: CAPTURE }, ['a.o', 'b.o'], '--net takes one object, not 2 files'],
  ])('%j with %j: %s', (args, files, message) => {
    expect(checkNetArguments({ json: false, ...args }, files)).toMatchObject({ code: 'usage', message });
  });

  it('are fine without --net and none of its options, and with a capture', () => {
    expect(checkNetArguments({ net: false, json: false }, ['a.json', 'b.json'])).toBeUndefined();
    expect(checkNetArguments({ net: true, json: true, pcap: CAPTURE, mode: 'generic' }, ['a.o'])).toBeUndefined();
  });
});

withKernel('sim replay --net on this kernel', () => {
  it('plays a capture over a veth, and nothing differs', async () => {
    const { exitCode, stdout } = await sim('replay', '--net', 'fixtures/programs/reflector/reflector.o', '--pcap', CAPTURE, '--json');
    expect(JSON.parse(stdout)).toMatchObject({ schema: 1, backend: 'veth', ok: true, packets: { sent: 53 } });
    expect(exitCode).toBe(0);
  });

  it('takes variables and says where the packets went', async () => {
    const { exitCode, stdout } = await sim('replay', '--net', 'fixtures/programs/switch_drop/switch_drop.o', '--pcap', CAPTURE, '--set', 'drop_all=1', '--mode', 'generic');
    expect(stdout).toMatch(/dropped +53 +53/);
    expect(exitCode).toBe(0);
  });
});
