/**
 * A first definition: small, but with one of each of what most devices have, and explained line by line. It defines a
 * device that adds up the bytes that it is sent.
 */
export function starterDefinition(name: string, id: string): string {
  return `// A virtio device, from which virtio-gen makes a typed device and a typed driver.
// Lines that start with two slashes are for readers of this file; with three, they end up in the generated code.

/// Adds up the bytes that it is sent.
// The number tells drivers what kind of device this is. The specification gives them out; for experiments take one that
// nobody uses.
device ${name} = ${id} {
  // Capabilities that device and driver agree on when they start: a name and a bit (0 to 23) each.
  features {
    /// The device tells how much it takes at a time, in \`max_bytes\`.
    LIMIT = 0;
  }

  // What the driver can read at any time. Fields follow each other without gaps; \`le32\` is 32 bits, little-endian.
  config {
    /// How many requests the device has served.
    volatile le32 served;
    /// Most bytes in a request.
    le32 max_bytes unit "bytes" if LIMIT;
  }

  // Where the work comes in. Each queue carries one kind of request.
  queues {
    requestq : request Request;
  }

  // Values with names; \`: le32\` and \`: u8\` say how they are sent.
  enum Operation : le32 {
    /// Add the bytes up.
    SUM = 0;
    /// Find the largest byte.
    MAXIMUM = 1;
  }
  enum Status : u8 {
    OK = 0;
    /// The request does not make sense.
    INVALID = 1;
  }

  // What the driver sends (\`readable\` by the device) and what it gets back (\`writable\` by the device).
  request Request {
    readable {
      Operation operation;
      // Padding: sent as zero.
      reserved le32;
      // As many bytes as the driver sends.
      u8 data[];
    }
    writable {
      le64 result;
      Status status;
    }
  }
}
`;
}
