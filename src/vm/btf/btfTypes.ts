/** Type 0 of every BTF: `void`. */
export interface BtfVoid {
  readonly kind: 'void';
  readonly name: '';
}

export interface BtfInt {
  readonly kind: 'int';
  readonly name: string;
  readonly sizeBytes: number;
  /** Place and width of the value in its storage; only old compilers describe bitfields this way. */
  readonly bitOffset: number;
  readonly bits: number;
  readonly signed: boolean;
  readonly bool: boolean;
}

export interface BtfFloat {
  readonly kind: 'float';
  readonly name: string;
  readonly sizeBytes: number;
}

/** A type that points at, qualifies or renames another one. */
export interface BtfReference {
  readonly kind: 'ptr' | 'typedef' | 'const' | 'volatile' | 'restrict' | 'typeTag';
  readonly name: string;
  readonly typeId: number;
}

export interface BtfArray {
  readonly kind: 'array';
  readonly name: '';
  readonly typeId: number;
  readonly count: number;
}

export interface BtfMember {
  readonly name: string;
  readonly typeId: number;
  readonly bitOffset: number;
  /** Width of a bitfield, 0 for an ordinary member. */
  readonly bitfieldBits: number;
}

export interface BtfComposite {
  readonly kind: 'struct' | 'union';
  readonly name: string;
  readonly sizeBytes: number;
  readonly members: readonly BtfMember[];
}

/** ENUM and ENUM64. */
export interface BtfEnum {
  readonly kind: 'enum';
  readonly name: string;
  readonly sizeBytes: number;
  readonly signed: boolean;
  readonly values: readonly { readonly name: string; readonly value: bigint }[];
}

/** A struct, union or enum that is only declared. */
export interface BtfForward {
  readonly kind: 'fwd';
  readonly name: string;
  readonly tag: 'struct' | 'union';
}

export const BTF_LINKAGE = ['static', 'global', 'extern'] as const;
export type BtfLinkage = (typeof BTF_LINKAGE)[number];

/** A function; its type is a `funcProto`. */
export interface BtfFunc {
  readonly kind: 'func';
  readonly name: string;
  readonly typeId: number;
  readonly linkage: BtfLinkage;
}

export interface BtfFuncProto {
  readonly kind: 'funcProto';
  readonly name: '';
  /** Return type. */
  readonly typeId: number;
  readonly params: readonly { readonly name: string; readonly typeId: number }[];
}

/** A global variable. */
export interface BtfVar {
  readonly kind: 'var';
  readonly name: string;
  readonly typeId: number;
  readonly linkage: BtfLinkage;
}

/** An ELF section and the variables in it. */
export interface BtfDatasec {
  readonly kind: 'datasec';
  readonly name: string;
  /** 0 in an object that was not linked. */
  readonly sizeBytes: number;
  readonly variables: readonly { readonly typeId: number; readonly offBytes: number; readonly sizeBytes: number }[];
}

export interface BtfDeclTag {
  readonly kind: 'declTag';
  readonly name: string;
  readonly typeId: number;
  /** Member or parameter that is tagged, -1 for the whole type. */
  readonly componentIndex: number;
}

export type BtfType =
  | BtfVoid | BtfInt | BtfFloat | BtfReference | BtfArray | BtfComposite | BtfEnum | BtfForward
  | BtfFunc | BtfFuncProto | BtfVar | BtfDatasec | BtfDeclTag;
