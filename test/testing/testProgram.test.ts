import { describe, expect, it } from 'vitest';
import '../../src/testing/vitest/index.js';
import { createTestNic, loadProgram } from '../../src/testing/index.js';
import { udpFrame } from '../support/simulate.js';

const object = (name: string): string => `fixtures/programs/${name}/${name}.o`;

/** Text of the failure of an assertion. */
function failure(assert: () => void): string {
  try {
    assert();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('the assertion did not fail');
}

describe('matchers', () => {
  it('say what happened', () => {
    const program = loadProgram(object('count_hash'));
    const run = program.testRun({ data: udpFrame(60) });
    expect(run).toPassPacket();
    console.log(failure(() => expect(run).toDropPacket()));
    console.log(failure(() => expect(run).not.toPassPacket()));
    console.log(failure(() => expect(program.maps.get('packets_by_source')).toHaveElement('10.0.0.1', { packets: 2 })));
    console.log(failure(() => expect(program).toHaveLogged('x')));
    console.log(failure(() => expect(run).toRunWithin(10)));
    console.log(failure(() => expect([run]).toDropPacket()));
    const nic = createTestNic(object('reflector'), { profile: 'ice', queues: 2 });
    const [packet] = nic.receive([udpFrame(60), udpFrame(80)]);
    console.log(failure(() => expect(packet).toEndAs('stack')));
    console.log(failure(() => expect(nic).toHaveCounter('rx', 2)));
    expect(run).toMatchInlineSnapshot();
    expect(nic).toHaveNoLeaks();
  });
});
