// Dumps that were opened in this tab, as they can be sent: kept until the tab is closed, and told to
// nobody but the endpoint.
import { bytes } from "../model/format";

const kMostFile = 256 << 20; // bytes, as it lies there
const kMostSent = 8 << 20; // bytes, packed: what the endpoint takes
const kMostFiles = 8;

export interface OpenFile {
  name: string;
  packed: Blob;
}

/** By the name that an address has for it. */
export type OpenFiles = Map<string, OpenFile>;

export function isFile(base: string): boolean {
  return /^file\d+$/.test(base);
}

/** As it can be sent. Throws where it cannot. */
export async function pack(file: File): Promise<Blob> {
  if (file.size > kMostFile) throw new Error(`The file is larger than ${bytes(kMostFile)}. In a terminal: weir diff FILE ADDRESS`);
  const packed = await new Response(file.stream().pipeThrough(new CompressionStream("gzip"))).blob();
  // What is packed already only grows by that.
  const smaller = packed.size < file.size ? packed : file;
  if (smaller.size > kMostSent) throw new Error(`The file is too large to be sent, ${bytes(smaller.size)} when packed. In a terminal: weir diff FILE ADDRESS`);
  return smaller;
}

let opened = 0;

/** Its name in addresses. The oldest make room. */
export async function open(files: OpenFiles, file: File): Promise<string> {
  const packed = await pack(file);
  const name = `file${opened++}`;
  files.set(name, { name: file.name, packed });
  for (const oldest of files.keys()) {
    if (files.size <= kMostFiles) break;
    files.delete(oldest);
  }
  return name;
}
