import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { unwrap } from '../../../src/base/index.js';
import { thisHost } from '../../../src/replay/index.js';
import { NetNamespace } from '../../../src/replay/net/netNamespace.js';
import { NetSyscalls } from '../../../src/replay/net/netSyscalls.js';

// A network namespace that is set up from the same JSON as a scenario, to ask the kernel the same questions.

interface JsonInterface { readonly ifindex: number; readonly name: string; readonly mac: string; readonly mtu?: number; readonly forwarding?: boolean; readonly addresses?: readonly string[] }
interface JsonRoute {
  readonly to: string; readonly type?: string; readonly via?: string; readonly dev?: string; readonly metric?: number; readonly table?: number; readonly tos?: number;
  readonly src?: string; readonly mtu_lock?: number; readonly encap?: number;
}
interface JsonRule { readonly priority: number; readonly family?: number; readonly from?: string; readonly to?: string; readonly iif?: string; readonly fwmark?: number; readonly table?: number; readonly action?: string }
interface JsonNeighbour { readonly to: string; readonly dev: string; readonly mac?: string; readonly state?: string }

/** The part of a scenario file that a namespace can be made from; interface 1 is its loopback. */
export interface TwinJson {
  readonly interfaces: readonly JsonInterface[];
  readonly routes?: readonly JsonRoute[];
  readonly rules?: readonly JsonRule[];
  readonly neighbours?: readonly JsonNeighbour[];
}

const isV6 = (text: string): boolean => text.includes(':');
const words = (parts: readonly (string | number | undefined | false)[]): string => parts.filter((part) => part !== undefined && part !== false).join(' ');

/** Makes the namespace; whoever asks closes it. Needs root and ip(8). */
export async function namespaceTwin(json: TwinJson): Promise<NetNamespace> {
  const namespace = unwrap(NetNamespace.create(new NetSyscalls(await thisHost.importKoffi(), process.arch)));
  namespace.enter(() => {
    const set = (path: string, value: string): void => writeFileSync(`/proc/sys/net/${path}`, value);
    set('ipv6/conf/default/accept_dad', '0');
    set('ipv6/conf/all/forwarding', '0');
    const ip = (lines: readonly string[]): void => {
      execFileSync('ip', ['-batch', '-'], { input: lines.join('\n') });
    };
    const others = json.interfaces.filter(({ ifindex }) => ifindex !== 1);
    ip([
      'link set lo up',
      ...others.flatMap(({ ifindex, name, mac, mtu = 1500 }) => [
        `link add ${name} index ${ifindex} address ${mac} mtu ${mtu} type veth peer name peer${ifindex} index ${ifindex + 1000} mtu ${mtu}`,
        `link set ${name} addrgenmode none`,
        `link set peer${ifindex} addrgenmode none`,
        `link set ${name} up`,
        `link set peer${ifindex} up`,
      ]),
      ...others.flatMap(({ name, addresses = [] }) => addresses.map((address) => `addr add ${address} dev ${name}${isV6(address) ? ' nodad' : ''}`)),
    ]);
    for (const { name, forwarding = true } of json.interfaces) {
      for (const family of ['ipv4', 'ipv6']) set(`${family}/conf/${name}/forwarding`, forwarding ? '1' : '0');
    }
    ip((json.routes ?? []).map(({ to, type, via, dev, metric, table, tos, src, mtu_lock: mtu, encap }) => {
      const gateway = via === undefined ? [] : ['via', isV6(via) && !isV6(to) ? `inet6 ${via}` : via];
      return words([
        isV6(to) || (to === 'default' && via !== undefined && isV6(via)) ? '-6' : undefined, 'route add', type, to, encap !== undefined && 'encap seg6 mode encap segs fc00::1', tos !== undefined && `tos 0x${tos.toString(16)}`, ...gateway, dev !== undefined && `dev ${dev}`,
        table !== undefined && `table ${table}`, metric !== undefined && `metric ${metric}`, src !== undefined && `src ${src}`,
        mtu !== undefined && `mtu lock ${mtu}`, via !== undefined && 'onlink',
      ]).replace(/^(-6 )?(.*)$/, '$2');
    }));
    for (const rule of json.rules ?? []) {
      const { priority, family = 4, from, to, iif, fwmark, table, action } = rule;
      execFileSync('ip', words([
        `-${family} rule add priority ${priority}`, from !== undefined && `from ${from}`, to !== undefined && `to ${to}`, iif !== undefined && `iif ${iif}`,
        fwmark !== undefined && `fwmark ${fwmark}`, table !== undefined && `table ${table}`, action,
      ]).split(' '));
    }
    ip((json.neighbours ?? []).map(({ to, dev, mac, state = 'permanent' }) => words(['neigh add', to, mac !== undefined && `lladdr ${mac}`, 'dev', dev, 'nud', state])));
  });
  return namespace;
}
