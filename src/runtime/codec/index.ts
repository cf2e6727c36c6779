export { ByteReader } from "./byte-reader.js";
export { ByteWriter } from "./byte-writer.js";
export { CodecError, type CodecRule } from "./codec-error.js";
export { isPowerOfTwo, popcount, unsignedBits } from "./numbers.js";
export { textListSize, textSize, type TextForm } from "./text.js";
