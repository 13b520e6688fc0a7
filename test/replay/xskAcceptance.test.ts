import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { openKernelXsk } from '../../src/replay/index.js';
import {
  AF_XDP, MSG_DONTWAIT, SO_BUSY_POLL, SO_BUSY_POLL_BUDGET, SO_ERROR, SO_PREFER_BUSY_POLL, SOCK_RAW, SOL_SOCKET, SOL_XDP, XDP_COPY, XDP_MAX_TX_SKB_BUDGET,
  XDP_MMAP_OFFSETS, XDP_OPTIONS, XDP_PGOFF_RX_RING, XDP_PGOFF_TX_RING, XDP_RX_RING, XDP_SHARED_UMEM, XDP_STATISTICS, XDP_TX_RING, XDP_UMEM_COMPLETION_RING,
  XDP_UMEM_FILL_RING, XDP_UMEM_PGOFF_COMPLETION_RING, XDP_UMEM_PGOFF_FILL_RING, XDP_UMEM_REG, XDP_USE_NEED_WAKEUP, XDP_USE_SG,
} from '../../src/umem/index.js';
import type { Mapping } from '../../src/umem/index.js';
import { kernelSide, LO, simulatedSide, withKernelSockets } from '../support/xskSides.js';
import type { XskSide } from '../support/xskSides.js';

// What the kernel and the model take and refuse, asked with the same bytes. Sizes that would take the machine down are asked of the model only
// (test/umem).

const QUEUES = 2;
const RINGS = [XDP_RX_RING, XDP_TX_RING, XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING] as const;
const RX = 1;
const TX = 2;
const FILL = 4;
const COMPLETION = 8;
const ALL = RX | TX | FILL | COMPLETION;
const PAGES = 16;
const UMEM_BYTES = PAGES * 4096;

interface Reg {
  address?: bigint;
  len?: bigint | number;
  chunkSize?: number;
  headroom?: number;
  flags?: number;
  txMetadata?: number;
  optlen?: number;
}

interface Address {
  family?: number;
  flags?: number;
  ifindex?: number;
  queueId?: number;
  sharedFd?: number;
  addrlen?: number;
}

/** An application that says in bytes what a test says in words, and keeps no file descriptor beyond its test. */
class Application {
  readonly side: XskSide;
  readonly memory: Mapping;
  readonly #fds: number[] = [];

  constructor(side: XskSide, memory: Mapping) {
    this.side = side;
    this.memory = memory;
  }

  open(): number {
    const fd = this.side.calls.socket(SOCK_RAW, 0);
    expect(fd).toBeGreaterThan(0);
    this.#fds.push(fd);
    return fd;
  }

  close(fd: number): number {
    const at = this.#fds.indexOf(fd);
    if (at >= 0) this.#fds.splice(at, 1);
    return this.side.calls.close(fd);
  }

  closeAll(): void {
    for (const fd of this.#fds.splice(0)) this.side.calls.close(fd);
  }

  register(fd: number, { address = this.memory.address, len = UMEM_BYTES, chunkSize = 4096, headroom = 0, flags = 0, txMetadata = 0, optlen = 32 }: Reg = {}): number {
    const bytes = new Uint8Array(Math.max(32, optlen));
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, address, true);
    view.setBigUint64(8, BigInt(len), true);
    [chunkSize, headroom, flags, txMetadata].forEach((word, i) => view.setUint32(16 + 4 * i, word, true));
    return this.side.calls.setsockopt(fd, SOL_XDP, XDP_UMEM_REG, bytes.subarray(0, optlen));
  }

  ring(fd: number, name: number, entries: number, optlen = 4): number {
    const bytes = new Uint8Array(Math.max(4, optlen));
    new DataView(bytes.buffer).setUint32(0, entries, true);
    return this.side.calls.setsockopt(fd, SOL_XDP, name, bytes.subarray(0, optlen));
  }

  /** @param rings RX, TX, FILL, COMPLETION */
  rings(fd: number, rings: number, entries = 8): number[] {
    return RINGS.filter((_, i) => (rings & (1 << i)) !== 0).map((name) => this.ring(fd, name, entries));
  }

  bind(fd: number, { family = AF_XDP, flags = XDP_COPY, ifindex = this.side.ifindex, queueId = 0, sharedFd = 0, addrlen = 16 }: Address = {}): number {
    const bytes = new Uint8Array(Math.max(16, addrlen));
    const view = new DataView(bytes.buffer);
    view.setUint16(0, family, true);
    view.setUint16(2, flags, true);
    [ifindex, queueId, sharedFd].forEach((word, i) => view.setUint32(4 + 4 * i, word, true));
    return this.side.calls.bind(fd, bytes.subarray(0, addrlen));
  }

  /** A socket that can be bound, or one that lacks something. */
  prepared(rings = ALL, reg: Reg | undefined = {}): number {
    const fd = this.open();
    if (reg !== undefined) this.register(fd, reg);
    this.rings(fd, rings);
    return fd;
  }

  bound(address: Address = {}, rings = ALL): number {
    const fd = this.prepared(rings);
    expect(this.bind(fd, address)).toBe(0);
    return fd;
  }

  set(fd: number, level: number, name: number, value: number, optlen = 4): number {
    const bytes = new Uint8Array(Math.max(4, optlen));
    new DataView(bytes.buffer).setUint32(0, value, true);
    return this.side.calls.setsockopt(fd, level, name, bytes.subarray(0, optlen));
  }

  /** Result and bytes. */
  get(fd: number, level: number, name: number, optlen: number): [number, string] {
    const bytes = new Uint8Array(optlen).fill(0xee);
    return [this.side.calls.getsockopt(fd, level, name, bytes), Buffer.from(bytes).toString('hex')];
  }

  /** 0, or a negated errno. */
  map(fd: number, lenBytes: number, offBytes: number): number {
    const mapping = this.side.calls.mmap(fd, lenBytes, offBytes);
    if (typeof mapping === 'number') return mapping;
    this.side.calls.munmap(mapping);
    return 0;
  }

  /** What every call says to this socket. */
  everything(fd: number): unknown {
    const { calls } = this.side;
    return {
      register: this.register(fd),
      rings: RINGS.map((name) => this.ring(fd, name, 8)),
      budget: this.set(fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, 32),
      maps: [XDP_PGOFF_RX_RING, XDP_PGOFF_TX_RING, XDP_UMEM_PGOFF_FILL_RING, XDP_UMEM_PGOFF_COMPLETION_RING].map((offset) => this.map(fd, 320, offset)),
      send: [calls.sendto(fd, 0), calls.sendto(fd, MSG_DONTWAIT)],
      receive: [calls.recvfrom(fd, 0), calls.recvfrom(fd, MSG_DONTWAIT)],
      poll: calls.poll(fd, 0x1ff),
      options: [this.get(fd, SOL_XDP, XDP_OPTIONS, 4), this.get(fd, SOL_XDP, XDP_STATISTICS, 48), this.get(fd, SOL_SOCKET, SO_ERROR, 4), this.get(fd, SOL_SOCKET, SO_ERROR, 4)],
    };
  }
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const product = <A, B>(as: readonly A[], bs: readonly B[]): [A, B][] => as.flatMap((a) => bs.map((b): [A, B] => [a, b]));

/** Everything that there is to ask, by name. */
const SCENARIOS: Record<string, Record<string, (app: Application) => unknown>> = {
  'socket()': {
    'types and protocols': ({ side }) => product([1, 2, 3, 4, 5, 10], [0, 1, 3]).map(([type, protocol]) => {
      const fd = side.calls.socket(type, protocol);
      if (fd >= 0) side.calls.close(fd);
      return Math.min(fd, 0);
    }),
  },

  'XDP_UMEM_REG': {
    'chunk sizes, flags and lengths': (app) => grid(app, product(
      product([0, 1024, 2047, 2048, 2049, 3000, 4095, 4096, 4097, 8192, 0xffffffff], [0, 1, 2, 3, 4, 5, 6, 7, 8, 0x10, 0x80000000]),
      [0, 1, 2047, 2048, 2049, 4096, 4097, 6144, 8192, 10000, UMEM_BYTES],
    ).map(([[chunkSize, flags], len]) => ({ chunkSize, flags, len }))),
    'lengths that go too far': (app) => grid(app, product([2n ** 32n * 4096n, 2n ** 32n * 2048n, 2n ** 28n * 4096n, 2n ** 63n, 2n ** 64n - 4096n], [0, 1])
      .map(([len, flags]) => ({ len, flags }))),
    'as far as there are addresses': (app) => [0, 1].map((flags) => app.register(app.open(), { len: 2n ** 64n - app.memory.address, flags })),
    'headroom': (app) => grid(app, product(
      [[2048, 0], [4096, 0], [3000, 1], [2048, 1], [2049, 1], [4096, 1]],
      [0, 1, 64, 100, 255, 256, 295, 296, 297, 1343, 1344, 1345, 1346, 1471, 1472, 1473, 1792, 2048, 2295, 2296, 2297, 3391, 3392, 3393, 3839, 3840, 4096, 0x7fffffff, 0xffffffff],
    ).map(([[chunkSize, flags], headroom]) => ({ chunkSize, flags, headroom }))),
    'length of TX metadata': (app) => grid(app, product(
      product([0, 1, 4, 6, 7, 8, 12, 16, 20, 24, 32, 100, 128, 240, 247, 248, 249, 252, 255, 256, 264, 0xffffffff], [0, 1, 2, 3, 4, 5, 6, 7]),
      [2048, 4096],
    ).map(([[txMetadata, flags], chunkSize]) => ({ txMetadata, flags, chunkSize }))),
    'addresses': (app) => grid(app, product([0n, 1n, 8n, 2048n, 4095n, 4096n, 8192n], [0, 1]).map(([offset, flags]) => ({ address: app.memory.address + offset, len: 8192, flags }))),
    'addresses where nothing is': (app) => grid(app, product([0n, 4096n, 1n << 63n, 2n ** 64n - 4096n, 2n ** 64n - 8192n, 2n ** 64n - 8193n], [4096, 8192, 8191])
      .map(([address, len]) => ({ address, len }))),
    'option lengths': (app) => grid(app, product(range(0, 40), [0, 1, 2, 4, 8, 16]).map(([optlen, flags]) => ({ optlen, flags, txMetadata: 7 }))),
    'headroom and metadata, both wrong': (app) => grid(app, product([0, 5000], [7, 300]).map(([headroom, txMetadata]) => ({ headroom, txMetadata, flags: 4 }))),
    'a second one': (app) => {
      const fd = app.open();
      return [app.register(fd), app.register(fd), app.register(fd, { chunkSize: 1 }), app.register(fd, { optlen: 23 })];
    },
  },

  'rings': {
    'sizes': (app) => product(RINGS, [0, 1, 2, 3, 4, 5, 7, 8, 100, 512, 1000, 1023, 1024]).map(([name, entries]) => app.ring(app.open(), name, entries)),
    'option lengths': (app) => product(RINGS, range(0, 9)).map(([name, optlen]) => app.ring(app.open(), name, 8, optlen)),
    'a second one': (app) => RINGS.map((name) => {
      const fd = app.open();
      return [app.ring(fd, name, 8), app.ring(fd, name, 8), app.ring(fd, name, 0), app.ring(fd, name, 16), app.ring(fd, name, 8, 3)];
    }),
    'a refused one, then a good one': (app) => RINGS.map((name) => {
      const fd = app.open();
      return [app.ring(fd, name, 3), app.ring(fd, name, 4)];
    }),
  },

  'bind()': {
    'every combination of flags': (app) => [...range(0, 31), 32, 64, 33, 0x8000, 0xffff].map((flags) => {
      const fd = app.prepared();
      const result = app.bind(fd, { flags });
      const options = app.get(fd, SOL_XDP, XDP_OPTIONS, 4);
      app.close(fd);
      if (result === 0) app.side.settle();
      return [flags, result, options];
    }),
    'missing rings, missing UMEM': (app) => product(range(0, 15), [{}, undefined]).map(([rings, reg]) => {
      const fd = app.open();
      if (reg !== undefined) app.register(fd, reg);
      app.rings(fd, rings);
      const result = app.bind(fd);
      app.close(fd);
      if (result === 0) app.side.settle();
      return [rings, reg !== undefined, result];
    }),
    'queues': (app) => [0, 1, 2, 3, 255, 256, 65535, 65536, 65537, 65538, 131072, 0x7fffffff, 0xffffffff].map((queueId) => {
      const fd = app.prepared();
      const result = app.bind(fd, { queueId });
      app.close(fd);
      if (result === 0) app.side.settle();
      return [queueId, result];
    }),
    'devices': (app) => [0, LO, 999, 0xffffffff].map((ifindex) => {
      const fd = app.prepared();
      const result = app.bind(fd, { ifindex });
      const again = app.bind(fd, { ifindex });
      app.close(fd);
      return [ifindex, result, again];
    }),
    'lengths and families': (app) => {
      const fd = app.prepared();
      return [
        range(0, 15).map((addrlen) => app.bind(fd, { addrlen })),
        [0, 1, 2, 17, 45, 0xffff].map((family) => app.bind(fd, { family })),
        app.bind(fd, { addrlen: 20 }),
        app.bind(fd),
      ];
    },
    'what is looked at first': (app) => {
      const ready = app.prepared();
      const bare = app.open();
      const bound = app.bound({ queueId: 1 });
      return product([ready, bare, bound], [
        { ifindex: 999, queueId: 7 }, { ifindex: 999, flags: 32 }, { queueId: 7, flags: 32 }, { queueId: 1 }, { queueId: 1, flags: 6 }, { queueId: 7, flags: 6 },
        { queueId: 7, flags: 4 }, { queueId: 1, flags: 4 }, { flags: XDP_SHARED_UMEM, sharedFd: 9999, ifindex: 999 }, { flags: XDP_SHARED_UMEM | XDP_COPY, sharedFd: 9999 },
        { flags: XDP_SHARED_UMEM, sharedFd: bound }, { flags: XDP_SHARED_UMEM, sharedFd: bound, queueId: 7 }, { flags: 0x20, family: 1 }, { flags: 4, ifindex: LO, queueId: 3 },
      ]).map(([fd, address]) => app.bind(fd, address));
    },
    'a queue that somebody has, then free again': (app) => {
      const first = app.bound();
      const second = app.prepared();
      const busy = [app.bind(second), app.bind(second, { flags: 0 }), app.bind(second, { queueId: 1 })];
      const closed = app.close(first);
      const third = app.prepared();
      const atOnce = app.bind(third);
      app.side.settle();
      return [busy, closed, atOnce, app.bind(third), app.close(third), app.close(third)];
    },
    'a socket of another kind': ({ side, ...app }) => {
      void app;
      const bytes = new Uint8Array(48);
      return [side.openSocket(), side.openFile(), -1, 9999].map((fd) => [
        side.calls.setsockopt(fd, SOL_XDP, XDP_RX_RING, bytes.subarray(0, 4)), side.calls.getsockopt(fd, SOL_XDP, XDP_STATISTICS, bytes), side.calls.poll(fd, 0) & 0x20,
      ]);
    },
  },

  'XDP_SHARED_UMEM': {
    'same queue: rings of its own': (app) => {
      const owner = app.bound();
      return range(0, 15).map((rings) => {
        const fd = app.open();
        app.rings(fd, rings);
        const result = [app.bind(fd, { flags: XDP_SHARED_UMEM, sharedFd: owner }), app.map(fd, 320, XDP_UMEM_PGOFF_FILL_RING), app.map(fd, 320, XDP_UMEM_PGOFF_COMPLETION_RING)];
        app.close(fd);
        return [rings, result];
      });
    },
    'other queue: rings of its own': (app) => {
      const owner = app.bound();
      return range(0, 15).map((rings) => {
        const fd = app.open();
        app.rings(fd, rings);
        const result = app.bind(fd, { flags: XDP_SHARED_UMEM, sharedFd: owner, queueId: 1 });
        app.close(fd);
        if (result === 0) app.side.settle();
        return [rings, result];
      });
    },
    'other device': (app) => {
      const owner = app.bound();
      return product([RX, TX, ALL, RX | FILL | COMPLETION], [0, 1]).map(([rings, queueId]) => {
        const fd = app.open();
        app.rings(fd, rings);
        const result = app.bind(fd, { flags: XDP_SHARED_UMEM, sharedFd: owner, ifindex: LO, queueId });
        app.close(fd);
        if (result === 0) app.side.settle();
        return [rings, queueId, result];
      });
    },
    'with a UMEM of its own': (app) => {
      const owner = app.bound();
      return [RX, ALL].map((rings) => app.bind(app.prepared(rings), { flags: XDP_SHARED_UMEM, sharedFd: owner, queueId: 1 }));
    },
    'every other flag with it': (app) => {
      const owner = app.bound();
      return range(1, 15).map((more) => {
        const fd = app.open();
        app.rings(fd, RX);
        return app.bind(fd, { flags: XDP_SHARED_UMEM | (more << 1), sharedFd: owner });
      });
    },
    'what the descriptor is': (app) => {
      const unbound = app.prepared();
      const withoutUmem = app.open();
      const removed = app.open();
      app.close(removed);
      const asker = app.open();
      app.rings(asker, RX);
      return [-1, 9999, removed, app.side.openFile(), app.side.openSocket(), unbound, withoutUmem, asker].map((sharedFd) => app.bind(asker, { flags: XDP_SHARED_UMEM, sharedFd }));
    },
    'shared with one that shares': (app) => {
      const owner = app.bound();
      const second = app.open();
      app.rings(second, ALL);
      const third = app.open();
      app.rings(third, RX | TX);
      const fourth = app.open();
      app.rings(fourth, ALL);
      return [
        app.bind(second, { flags: XDP_SHARED_UMEM, sharedFd: owner, queueId: 1 }), app.bind(third, { flags: XDP_SHARED_UMEM, sharedFd: second, queueId: 1 }),
        app.bind(fourth, { flags: XDP_SHARED_UMEM, sharedFd: third, queueId: 0 }), app.bind(fourth, { flags: XDP_SHARED_UMEM, sharedFd: third, ifindex: LO }),
        app.register(second), app.register(third), app.bind(second),
      ];
    },
    'the first one goes, its queue stays taken': (app) => {
      const owner = app.bound();
      const second = app.open();
      app.rings(second, RX | TX);
      const shared = app.bind(second, { flags: XDP_SHARED_UMEM, sharedFd: owner });
      app.close(owner);
      app.side.settle();
      const third = app.prepared();
      const fourth = app.open();
      app.rings(fourth, RX);
      const taken = [app.bind(third), app.bind(fourth, { flags: XDP_SHARED_UMEM, sharedFd: second }), app.map(second, 320, XDP_UMEM_PGOFF_FILL_RING), app.everything(second)];
      app.close(second);
      app.close(fourth);
      app.side.settle();
      return [shared, taken, app.bind(third)];
    },
    'modes of the first are those of the second': (app) => [XDP_COPY, 0, XDP_COPY | XDP_USE_NEED_WAKEUP, XDP_USE_SG, XDP_COPY | XDP_USE_SG].map((flags) => {
      const owner = app.bound({ flags });
      const second = app.open();
      app.rings(second, ALL);
      const result = app.bind(second, { flags: XDP_SHARED_UMEM, sharedFd: owner, queueId: 1 });
      const options = app.get(second, SOL_XDP, XDP_OPTIONS, 4);
      app.close(owner);
      app.close(second);
      app.side.settle();
      return [result, options];
    }),
  },

  'states': {
    'bare': (app) => app.everything(app.open()),
    'ready': (app) => app.everything(app.prepared()),
    'bound': (app) => app.everything(app.bound()),
    'bound, RX only': (app) => app.everything(app.bound({}, RX | FILL | COMPLETION)),
    'bound, TX only': (app) => app.everything(app.bound({}, TX | FILL | COMPLETION)),
    'bound to a device that is down': (app) => app.everything(app.bound({ ifindex: LO })),
    'bind to a device that is down, which comes up': (app) => {
      app.side.setUp(false);
      const fd = app.bound();
      const down = app.everything(fd);
      app.side.setUp(true);
      return [down, app.everything(fd)];
    },
    'bound twice': (app) => {
      const fd = app.bound();
      return [app.bind(fd), app.bind(fd, { queueId: 1 }), app.bind(fd, { ifindex: 999 }), app.bind(fd, { flags: 64 })];
    },
    'closed': (app) => {
      const fd = app.bound();
      app.close(fd);
      return app.everything(fd);
    },
  },

  'options': {
    'set: names and lengths': (app) => {
      const fd = app.bound();
      return product(range(7, 14), [0, 3, 4, 5, 8]).map(([name, optlen]) => app.set(fd, SOL_XDP, name, 64, optlen));
    },
    'set: levels': (app) => [0, 6, 17, 282, 284].map((level) => app.set(app.open(), level, 1, 1)),
    'get: names and lengths': (app) => {
      const fd = app.bound();
      return product(range(0, 12), [0, 3, 4, 8, 23, 24, 25, 47, 48, 49, 95, 96, 97, 127, 128, 129, 200]).map(([name, optlen]) => app.get(fd, SOL_XDP, name, optlen));
    },
    'get: levels': (app) => [0, 6, 17, 282, 284].map((level) => app.get(app.open(), level, 1, 4)),
    'get: before there are rings': (app) => {
      const fd = app.open();
      return [XDP_MMAP_OFFSETS, XDP_STATISTICS, XDP_OPTIONS].map((name) => app.get(fd, SOL_XDP, name, 128));
    },
    'XDP_MAX_TX_SKB_BUDGET': (app) => [0, TX].map((rings) => [8, 64, 256].map((entries) => {
      const fd = app.open();
      app.rings(fd, rings, entries);
      return [0, 1, 31, 32, 33, 64, 65, 128, 256, 257, 0xffffffff].map((budget) => [3, 4, 5].map((optlen) => app.set(fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, budget, optlen)));
    })),
    'busy polling': (app) => {
      const fd = app.open();
      const names = [SO_BUSY_POLL, SO_PREFER_BUSY_POLL, SO_BUSY_POLL_BUDGET];
      return product(names, [0, 1, 50, 0xffff, 0x10000, 0xffffffff]).map(([name, value]) => [app.set(fd, SOL_SOCKET, name, value), app.get(fd, SOL_SOCKET, name, 4), app.set(fd, SOL_SOCKET, name, value, 3)]);
    },
  },

  'mmap()': {
    'offsets and lengths': (app) => product([1, 8, 256], [XDP_PGOFF_RX_RING, XDP_PGOFF_TX_RING, XDP_UMEM_PGOFF_FILL_RING, XDP_UMEM_PGOFF_COMPLETION_RING]).map(([entries, offset]) => {
      const fd = app.open();
      app.rings(fd, ALL, entries);
      const exact = 320 + entries * 16;
      return [0, 1, 320, exact - 1, exact, exact + 1, 4095, 4096, 4097, 8192, 8193, 65536].map((lenBytes) => app.map(fd, lenBytes, offset));
    }),
    'rings that are not there': (app) => range(0, 15).map((rings) => {
      const fd = app.open();
      app.rings(fd, rings);
      return [XDP_PGOFF_RX_RING, XDP_PGOFF_TX_RING, XDP_UMEM_PGOFF_FILL_RING, XDP_UMEM_PGOFF_COMPLETION_RING].map((offset) => app.map(fd, 320, offset));
    }),
    'unknown offsets': (app) => {
      const fd = app.bound();
      return [1, 4095, 4096, 0x7ffff000, 0x80000001, 0x80001000, 0x180001000, 0x200000000, 0x10000000000].map((offset) => app.map(fd, 320, offset));
    },
  },

  'device removal': {
    'everything before and after': (app) => {
      const bound = app.bound();
      const ready = app.prepared();
      const before = app.everything(bound);
      app.side.removeDevice();
      app.side.settle();
      return [before, app.everything(bound), app.bind(bound), app.bind(ready), app.everything(ready), app.bind(ready, { ifindex: LO }), app.close(bound)];
    },
    'sharing with a socket whose device is gone': (app) => {
      const bound = app.bound();
      app.side.removeDevice();
      app.side.settle();
      const fd = app.open();
      app.rings(fd, ALL);
      return [app.bind(fd, { flags: XDP_SHARED_UMEM, sharedFd: bound, ifindex: LO }), app.get(bound, SOL_XDP, XDP_STATISTICS, 48), app.get(bound, SOL_SOCKET, SO_ERROR, 4)];
    },
  },
};

/** Registers one UMEM after the other, each on a socket without one. */
function grid(app: Application, regs: readonly Reg[]): unknown {
  let fd = app.open();
  return regs.map((reg) => {
    const result = app.register(fd, reg);
    if (result === 0) {
      app.close(fd);
      fd = app.open();
    }
    return [Object.entries({ ...reg, address: undefined }).map(([name, value]) => (value === undefined ? '' : `${name} ${value}`)).join(' '), result];
  });
}

await withKernelSockets('acceptance by AF_XDP', (net) => {
  const sides: { kernel?: XskSide; simulated?: XskSide } = {};

  const open = (): void => {
    sides.kernel = kernelSide(net, QUEUES);
    sides.simulated = simulatedSide(QUEUES);
  };
  const observe = (side: XskSide, scenario: (app: Application) => unknown): unknown => {
    const app = new Application(side, side.calls.mmapAnonymous(UMEM_BYTES));
    try {
      return scenario(app);
    } finally {
      app.closeAll();
      side.settle();
    }
  };

  beforeAll(open);
  afterAll(() => sides.kernel?.close());

  it('needs no namespace of its own', async () => {
    const calls = unwrap(await openKernelXsk());
    const fd = calls.socket(SOCK_RAW, 0);
    expect(calls.setsockopt(fd, SOL_XDP, XDP_RX_RING, Uint8Array.of(8, 0, 0, 0))).toBe(0);
    expect(calls.close(fd)).toBe(0);
  });

  describe.each(Object.entries(SCENARIOS))('%s', (group, scenarios) => {
    it.each(Object.entries(scenarios))('%s', (_, scenario) => {
      const real = observe(sides.kernel!, scenario);
      const simulated = observe(sides.simulated!, scenario);
      if (group === 'device removal') {
        sides.kernel!.close();
        open();
      }
      expect(simulated).toEqual(real);
    });
  });
});
