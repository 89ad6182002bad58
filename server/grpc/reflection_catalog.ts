/**
 * What server reflection can be asked about, worked out once from the descriptors inside the generated code.
 *
 * @module
 */

import {
  type DescEnum,
  type DescField,
  type DescFile,
  type DescMessage,
  type DescMethod,
  type DescService,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";

/** Serialized descriptors by what names them. Each list holds the file that was meant, then every file it needs. */
export interface ReflectionCatalog {
  /** Fully qualified, sorted. */
  readonly services: readonly string[];
  /** Fully qualified names of all messages, for questions about their extensions. */
  readonly messages: ReadonlySet<string>;
  fileByName(name: string): readonly Uint8Array[] | undefined;
  /** @param symbol Fully qualified, without a leading dot. */
  fileContainingSymbol(symbol: string): readonly Uint8Array[] | undefined;
}

/** Describes everything that the files of `services` declare. */
export function catalogOf(services: readonly DescService[]): ReflectionCatalog {
  const files = withImports(services.map((service) => service.file));
  const serialized = new Map(files.map((file) => [file, toBinary(FileDescriptorProtoSchema, file.proto)]));
  const lists = new Map(files.map((file) => [file, withImports([file]).map((each) => serialized.get(each)!)]));
  const byName = new Map(files.map((file) => [file.proto.name, lists.get(file)!]));
  const bySymbol = new Map(files.flatMap((file) => symbolsOf(file).map((symbol) => [symbol, lists.get(file)!])));
  return {
    services: services.map((service) => service.typeName).sort(),
    messages: new Set(files.flatMap((file) => allMessages(file.messages)).map((message) => message.typeName)),
    fileByName: (name) => byName.get(name),
    fileContainingSymbol: (symbol) => bySymbol.get(symbol),
  };
}

/** The files and everything they import, each once, importers first. */
function withImports(files: readonly DescFile[]): DescFile[] {
  const found = new Set<DescFile>();
  const visit = (file: DescFile) => {
    if (found.has(file)) return;
    found.add(file);
    file.dependencies.forEach(visit);
  };
  files.forEach(visit);
  return [...found];
}

function symbolsOf(file: DescFile): string[] {
  const messages = allMessages(file.messages);
  const enums = [...file.enums, ...messages.flatMap((message) => message.nestedEnums)];
  return [...file.services.flatMap(namesIn), ...messages.flatMap(namesIn), ...enums.flatMap(namesIn)];
}

function allMessages(messages: readonly DescMessage[]): DescMessage[] {
  return messages.flatMap((message) => [message, ...allMessages(message.nestedMessages)]);
}

/** The declared name and those of its methods, fields or values. */
function namesIn(declared: DescService | DescMessage | DescEnum): string[] {
  const { typeName } = declared;
  if (declared.kind === "enum") {
    // Protobuf puts an enum's values beside the enum, not into it.
    const scope = typeName.slice(0, typeName.lastIndexOf("."));
    return [typeName, ...declared.values.map((value) => `${scope}.${value.name}`)];
  }
  const members: readonly (DescMethod | DescField)[] = declared.kind === "service" ? declared.methods : declared.fields;
  return [typeName, ...members.map((member) => `${typeName}.${member.name}`)];
}
