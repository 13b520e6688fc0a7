// The only door of src/vm/.

export * from './btf/btf.js';
export * from './btf/btfFormat.js';
export * from './btf/btfParse.js';
export * from './btf/btfTypes.js';
export * from './environment.js';
export * from './fault.js';
export * from './helpers/helper.js';
export * from './helpers/helperTable.js';
export * from './isa/checkInstructions.js';
export * from './isa/decode.js';
export * from './isa/disassemble.js';
export * from './isa/opcodes.js';
export * from './layout.js';
export * from './license.js';
export * from './loadedObject.js';
export * from './loader/loadObject.js';
export * from './loader/sourceLine.js';
export * from './maps/arrayMap.js';
export * from './maps/map.js';
export * from './maps/mapTypes.js';
export * from './maps/progArray.js';
export * from './maps/xskMap.js';
export type { LoadedProgram } from './program.js';
export * from './redirect.js';
export * from './spec.js';
export * from './vm.js';
export * from './xdpBuffer.js';
