import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  openSync,
  readSync,
  readvSync,
  writeSync,
  writevSync,
} from "node:fs";
import type { ReadableBytes, WritableBytes } from "../runtime/index.js";
import { fileProblem, ServeError } from "./served-device.js";

/** What is written where zeroes are wanted. */
const ZEROES = new Uint8Array(1 << 20);
/** More pieces than this the system does not take at once (IOV_MAX). */
const MOST_PIECES = 1024;

/**
 * A disk image. Reads and writes go straight between the file and guest memory, without a copy in between; they wait for
 * the file, as the page cache mostly answers in microseconds.
 */
export class ImageFile {
  readonly #fd: number;
  #isOpen = true;

  /** @throws ServeError when the file cannot be opened, or is neither a regular file nor a block device. */
  constructor(path: string, readOnly: boolean) {
    try {
      this.#fd = openSync(path, readOnly ? constants.O_RDONLY : constants.O_RDWR);
    } catch (error) {
      throw fileProblem(path, error);
    }
    const stat = fstatSync(this.#fd);
    if (!stat.isFile() && !stat.isBlockDevice()) {
      closeSync(this.#fd);
      throw new ServeError(`${path}: it is neither a regular file nor a block device`);
    }
  }

  /** Bytes, as of now. */
  get size(): number {
    const stat = fstatSync(this.#fd);
    if (stat.isFile()) return stat.size;
    return blockDeviceSize(this.#fd);
  }

  /** Fills `target` from `position` on. @throws Error when the file ends before that, or the system refuses. */
  read(target: WritableBytes, position: number): void {
    const count = target.segmentCount;
    if (count > 1 && count <= MOST_PIECES) {
      const done = readvSync(this.#fd, pieces(target, count), position);
      if (done === target.length) return;
    }
    let at = position;
    for (let index = 0; index < count; index++) {
      const length = target.segmentLength(index);
      this.#readAll(target.segmentBytes(index), target.segmentOffset(index), length, at);
      at += length;
    }
  }

  /** Writes all of `source` from `position` on. @throws Error when the system refuses. */
  write(source: ReadableBytes, position: number): void {
    const count = source.segmentCount;
    if (count > 1 && count <= MOST_PIECES) {
      const done = writevSync(this.#fd, pieces(source, count), position);
      if (done === source.length) return;
    }
    let at = position;
    for (let index = 0; index < count; index++) {
      const length = source.segmentLength(index);
      this.#writeAll(source.segmentBytes(index), source.segmentOffset(index), length, at);
      at += length;
    }
  }

  /** Writes zeroes. */
  zero(position: number, length: number): void {
    for (let done = 0; done < length; done += ZEROES.length) {
      this.#writeAll(ZEROES, 0, Math.min(ZEROES.length, length - done), position + done);
    }
  }

  /** Returns when all that was written is on stable storage. */
  flush(): void {
    fdatasyncSync(this.#fd);
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    closeSync(this.#fd);
  }

  #readAll(bytes: Uint8Array, offset: number, length: number, position: number): void {
    for (let done = 0; done < length;) {
      const count = readSync(this.#fd, bytes, offset + done, length - done, position + done);
      if (count === 0) throw new Error(`the image ends at ${position + done}`);
      done += count;
    }
  }

  #writeAll(bytes: Uint8Array, offset: number, length: number, position: number): void {
    for (let done = 0; done < length;) {
      done += writeSync(this.#fd, bytes, offset + done, length - done, position + done);
    }
  }
}

function pieces(window: ReadableBytes | WritableBytes, count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, index) => window.segment(index));
}

/** The size of a block device is where reading ends; found by halving, as Node has no call for it. */
function blockDeviceSize(fd: number): number {
  const sector = new Uint8Array(512);
  let [low, high] = [0, 2 ** 43];
  while (low < high) {
    const middle = Math.floor((low + high + 1) / 2);
    if (readSync(fd, sector, 0, 512, (middle - 1) * 512) === 512) low = middle;
    else high = middle - 1;
  }
  return low * 512;
}
