import { describe, expect, test } from "vitest";
import type { DeviceModel, FieldModel, FieldType, SharedModel } from "../../src/model/device-model.js";
import { expected as blk } from "./expected/blk.js";
import { expected as consoleDevice } from "./expected/console.js";
import { expected as entropy } from "./expected/entropy.js";
import { expected as ipsec } from "./expected/ipsec.js";
import type { ExpectedDevice, ExpectedField, ExpectedShared } from "./expected/layout.js";
import { expected as net } from "./expected/net.js";
import { compiled, layoutOf, theDevice, theModel, type DeviceName } from "./models.js";

const devices: readonly (readonly [DeviceName, ExpectedDevice])[] = [
  ["net", net],
  ["blk", blk],
  ["console", consoleDevice],
  ["entropy", entropy],
];

/** Structs that are messages in the model: two streams of bytes instead of one layout. */
const messages = new Set(["virtio_net_ctrl", "virtio_blk_req", "virtio_blk_req_za", "virtio_scsi_pc_req"]);

function sinceOf(name: string, newer: ExpectedShared["newer"]): string {
  return Object.entries(newer).find(([, names]) => names.includes(name))?.[0] ?? "1.0";
}

function byName(entries: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  return Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Offloads have the names of features, and not always their numbers: a test of their own looks at them. */
function constantsOf(shared: SharedModel): readonly (readonly [string, unknown])[] {
  return shared.constants
    .filter(({ of }) => of !== "GuestOffloads")
    .map((constant) => [constant.specName, Number(constant.value)]);
}

test("the definitions compile without a word", () => {
  expect(compiled.diagnostics.map(({ span, code, message }) => `${span.source.name} ${code} ${message}`)).toEqual([]);
});

describe.each(devices)("%s", (name, expected) => {
  test("id", () => {
    expect(theDevice(name).id).toBe(expected.id);
    expect(theDevice(name).kind).toBe("device");
  });

  test("feature bits", () => {
    const { features } = theDevice(name);
    const bits = (legacy: boolean): Record<string, unknown> =>
      byName(features.filter((feature) => feature.legacy === legacy).map(({ specName, bit }) => [specName, bit]));
    expect(bits(false)).toEqual(byName(Object.entries(expected.features)));
    expect(bits(true)).toEqual(byName(Object.entries(expected.legacyFeatures)));
  });

  test("features that need others", () => {
    const found = theDevice(name).features.filter((feature) => feature.requires.length > 0);
    expect(byName(found.map((feature) => [feature.specName, feature.requires]))).toEqual(
      byName(Object.entries(expected.requires)),
    );
  });

  test("constants", () => {
    const device = theDevice(name);
    const tables = device.tables.flatMap((table) => table.entries.map((entry) => [entry.specName, entry.id] as const));
    expect(byName([...constantsOf(device), ...tables])).toEqual(byName(Object.entries(expected.constants)));
  });

  test("structs", () => {
    checkStructs(theDevice(name), expected);
  });

  test("releases", () => {
    const device = theDevice(name);
    const constants = device.constants.filter(({ of }) => of !== "GuestOffloads");
    const entries = device.tables.flatMap((table) => table.entries);
    for (const { specName, since } of [...device.features, ...constants, ...entries]) {
      expect({ specName, since }).toEqual({ specName, since: sinceOf(specName, expected.newer) });
    }
  });
});

describe("ipsec", () => {
  test("constants", () => {
    expect(byName(constantsOf(theModel().shared))).toEqual(byName(Object.entries(ipsec.constants)));
  });

  test("structs", () => {
    checkStructs(theModel().shared, ipsec);
  });

  test("releases", () => {
    for (const { specName, since } of theModel().shared.constants) {
      expect({ specName, since }).toEqual({ specName, since: sinceOf(specName, ipsec.newer) });
    }
  });
});

function checkStructs(place: SharedModel | DeviceModel, expected: ExpectedShared): void {
  const places = [place, theModel().shared];
  const config = "config" in place ? place.config : null;
  for (const [specName, wanted] of Object.entries(expected.structs)) {
    if (messages.has(specName)) continue;
    const struct = place.structs.find((candidate) => candidate.specName === specName);
    const found = config?.specName === specName ? config : struct;
    expect(found, `struct ${specName}`).toBeDefined();
    if (!found) continue;
    const layout = Object.fromEntries(layoutOf(found.fields, places));
    expect({ specName, spec: found.spec, size: found.size, fields: layout }).toEqual({
      specName,
      spec: wanted.spec,
      size: wanted.size,
      fields: wanted.fields,
    });
    if (struct) expect({ specName, since: struct.since }).toEqual({ specName, since: wanted.since });
  }
}

// ---- messages ----

/** `name offset size`; counted from the end of the stream where there is something of unknown length before it. */
function placesOf(fields: readonly FieldModel[]): readonly string[] {
  return fields.map((field) => {
    const place = field.offset ?? (field.fromEnd === null ? "?" : `end-${field.fromEnd}`);
    return `${field.specName} ${place} ${field.size ?? "*"}`;
  });
}

function variantOf(
  device: DeviceName,
  request: string,
  variant: string,
): { readable: readonly string[]; writable: readonly string[] } {
  const found = theDevice(device)
    .requests.find(({ specName }) => specName === request)
    ?.variants.find(({ name }) => name === variant);
  if (!found) throw new Error(`${request} has no variant ${variant}`);
  expect(found.replies).toHaveLength(1);
  return { readable: placesOf(found.readable), writable: placesOf(found.replies[0]?.writable ?? []) };
}

const blkHead = ["type 0 4", "reserved 4 4", "sector 8 8"];

test.each([
  ["In", [], ["data 0 *", "status end-1 1"]],
  ["Out", ["data 16 *"], ["status 0 1"]],
  ["Flush", [], ["status 0 1"]],
  ["GetId", [], ["id 0 20", "status 20 1"]],
  ["GetLifetime", [], ["lifetime 0 6", "status 6 1"]],
  ["DiscardWriteZeroes", ["segments 16 *"], ["status 0 1"]],
  ["SecureErase", ["segments 16 *"], ["status 0 1"]],
  ["ZoneAppend", ["data 16 *"], ["append_sector 0 8", "status 8 1"]],
  ["ZoneReport", [], ["report 0 *", "status end-1 1"]],
  ["ZoneOpenCloseFinishReset", [], ["status 0 1"]],
  ["ZoneResetAll", [], ["status 0 1"]],
])("blk request %s", (variant, readable, writable) => {
  expect(variantOf("blk", "virtio_blk_req", variant)).toEqual({ readable: [...blkHead, ...readable], writable });
});

test("blk requests are all of these", () => {
  const request = theDevice("blk").requests.find(({ specName }) => specName === "virtio_blk_req");
  expect(request?.discriminators).toEqual(["type"]);
  const tags = request?.variants.flatMap(({ tags: [type] }) => type?.patterns.map(({ name }) => name) ?? []);
  expect(tags).toEqual([
    "IN", "OUT", "FLUSH", "GET_ID", "GET_LIFETIME", "DISCARD", "WRITE_ZEROES", "SECURE_ERASE", "ZONE_APPEND", "ZONE_REPORT",
    "ZONE_OPEN", "ZONE_CLOSE", "ZONE_FINISH", "ZONE_RESET", "ZONE_RESET_ALL",
  ]); // prettier-ignore
  expect(request?.variants.find(({ name }) => name === "ZoneAppend")?.specName).toBe("virtio_blk_req_za");
});

test("the legacy SCSI packet command", () => {
  const request = theDevice("blk").requests.find(({ specName }) => specName === "virtio_scsi_pc_req");
  expect(placesOf(request?.variants[0]?.readable ?? [])).toEqual(["type 0 4", "ioprio 4 4", "sector 8 8", "cmd 16 *"]);
  expect(placesOf(request?.variants[0]?.replies[0]?.writable ?? [])).toEqual([
    "data 0 *",
    "sense end-113 96",
    "errors end-17 4",
    "data_len end-13 4",
    "sense_len end-9 4",
    "residual end-5 4",
    "status end-1 1",
  ]);
});

/** By class and command: what the driver says after the two, and what the device says after `ack`. */
const controlCommands: Readonly<Record<string, readonly [readable: readonly string[], writable: readonly string[]]>> = {
  "RX PROMISC": [["on 2 1"], []],
  "RX ALLMULTI": [["on 2 1"], []],
  "RX ALLUNI": [["on 2 1"], []],
  "RX NOMULTI": [["on 2 1"], []],
  "RX NOUNI": [["on 2 1"], []],
  "RX NOBCAST": [["on 2 1"], []],
  "MAC TABLE_SET": [["unicast 2 *", "multicast ? *"], []],
  "MAC ADDR_SET": [["mac 2 6"], []],
  "VLAN ADD": [["vlan_id 2 2"], []],
  "VLAN DEL": [["vlan_id 2 2"], []],
  "ANNOUNCE ACK": [[], []],
  "MQ VQ_PAIRS_SET": [["pairs 2 2"], []],
  "MQ RSS_CONFIG": [["rss 2 *"], []],
  "MQ HASH_CONFIG": [["hash 2 *"], []],
  "GUEST_OFFLOADS SET": [["offloads 2 8"], []],
  "NOTF_COAL TX_SET": [["coal 2 8"], []],
  "NOTF_COAL RX_SET": [["coal 2 8"], []],
  "NOTF_COAL VQ_SET": [["coal_vq 2 12"], []],
  "NOTF_COAL VQ_GET": [["vq_index 2 2", "reserved 4 2"], ["coal 1 8"]],
  "HASH_TUNNEL SET": [["tunnel 2 4"], []],
  "STATS QUERY": [[], ["capabilities 1 8"]],
  "STATS GET": [["queues 2 *"], ["replies 1 *"]],
  "RSS_CTX CAP_GET": [[], ["capability 1 2"]],
  "RSS_CTX ADD": [["context 2 *"], []],
  "RSS_CTX MOD": [["context 2 *"], []],
  "RSS_CTX DEL": [["context 2 2"], []],
};

test("net control commands are all of these", () => {
  const request = theDevice("net").requests.find(({ specName }) => specName === "virtio_net_ctrl");
  expect(request?.discriminators).toEqual(["class", "command"]);
  const found = (request?.variants ?? []).flatMap((variant) => {
    const members = (field: string): readonly (string | null)[] =>
      variant.tags.find((tag) => tag.field === field)?.patterns.map(({ name }) => name) ?? [null];
    // What is left of the numbers: `Other` variants.
    if (members("class").length === 0 || members("command").length === 0) return [];
    return members("class").flatMap((cls) =>
      members("command").map((command) => {
        const [head, second, ...readable] = placesOf(variant.readable);
        const [ack, ...writable] = placesOf(variant.replies[0]?.writable ?? []);
        expect([head, second, ack]).toEqual(["class 0 1", "command 1 1", "ack 0 1"]);
        return [`${cls ?? "?"} ${command ?? "?"}`, [readable, writable]] as const;
      }),
    );
  });
  expect(byName(found)).toEqual(byName(Object.entries(controlCommands)));
  expect(found).toHaveLength(Object.keys(controlCommands).length);
});

// ---- what is not a name, a number or a place ----

test("offloads: bit numbers of features, but for two", () => {
  const offloads = theDevice("net").enums.find(({ name }) => name === "GuestOffloads");
  expect(Object.fromEntries(offloads?.members.map(({ specName, bit }) => [specName, bit]) ?? [])).toEqual({
    VIRTIO_NET_F_GUEST_CSUM: 1,
    VIRTIO_NET_F_GUEST_TSO4: 7,
    VIRTIO_NET_F_GUEST_TSO6: 8,
    VIRTIO_NET_F_GUEST_ECN: 9,
    VIRTIO_NET_F_GUEST_UFO: 10,
    VIRTIO_NET_F_GUEST_UDP_TUNNEL_GSO: 46,
    VIRTIO_NET_F_GUEST_UDP_TUNNEL_GSO_CSUM: 47,
    VIRTIO_NET_F_GUEST_USO4: 54,
    VIRTIO_NET_F_GUEST_USO6: 55,
  });
});

test("gso_type: a number and flags in one byte", () => {
  const type = theDevice("net").enums.find(({ name }) => name === "GsoType");
  expect(type?.masked.map(({ name, mask, members }) => [name, mask, members.map((member) => member.name)])).toEqual([
    ["kind", 0x1f, ["NONE", "TCPV4", "UDP", "TCPV6", "UDP_L4"]],
  ]);
  expect(type?.members.map(({ name, value }) => [name, value])).toEqual([
    ["UDP_TUNNEL_IPV4", 0x20],
    ["UDP_TUNNEL_IPV6", 0x40],
    ["ECN", 0x80],
  ]);
});

/** Config fields that are not plain: when they exist, whether they change, who writes them, since when. */
const configFields: Readonly<Record<DeviceName, Readonly<Record<string, string>>>> = {
  net: {
    status: "STATUS volatile",
    max_virtqueue_pairs: "MQ || RSS",
    mtu: "MTU 1.1",
    speed: "SPEED_DUPLEX volatile 1.2",
    duplex: "SPEED_DUPLEX volatile 1.2",
    rss_max_key_size: "RSS || HASH_REPORT 1.2",
    rss_max_indirection_table_length: "RSS 1.2",
    supported_hash_types: "RSS || HASH_REPORT 1.2",
    supported_tunnel_types: "HASH_TUNNEL 1.3",
  },
  blk: {
    capacity: "volatile",
    size_max: "SIZE_MAX",
    seg_max: "SEG_MAX",
    geometry: "GEOMETRY",
    blk_size: "BLK_SIZE",
    topology: "TOPOLOGY",
    writeback: "CONFIG_WCE rw features_ok",
    unused0: "1.1 reserved",
    num_queues: "MQ 1.2",
    max_discard_sectors: "DISCARD 1.1",
    max_discard_seg: "DISCARD 1.1",
    discard_sector_alignment: "DISCARD 1.1",
    max_write_zeroes_sectors: "WRITE_ZEROES 1.1",
    max_write_zeroes_seg: "WRITE_ZEROES 1.1",
    write_zeroes_may_unmap: "WRITE_ZEROES volatile 1.1",
    unused1: "1.1 reserved",
    max_secure_erase_sectors: "SECURE_ERASE 1.2",
    max_secure_erase_seg: "SECURE_ERASE 1.2",
    secure_erase_sector_alignment: "SECURE_ERASE 1.2",
    zoned: "ZONED 1.3",
  },
  console: {
    cols: "SIZE volatile",
    rows: "SIZE volatile",
    max_nr_ports: "MULTIPORT",
    emerg_wr: "EMERG_WRITE wo any",
  },
  entropy: {},
};

test.each(Object.entries(configFields))("config fields of %s", (name, wanted) => {
  const device = theModel().devices.find((candidate) => candidate.name === name);
  const found = (device?.config?.fields ?? []).map(
    (field) =>
      [
        field.specName,
        [
          field.condition,
          field.volatile ? "volatile" : null,
          field.access === "ro" ? null : field.access,
          field.phase,
          field.since === "1.0" ? null : field.since,
          field.reserved ? "reserved" : null,
        ]
          .filter((word) => word !== null)
          .join(" "),
      ] as const,
  );
  expect(byName(found.filter(([, words]) => words !== ""))).toEqual(byName(Object.entries(wanted)));
});

test("the header of net ends after the last field that was negotiated", () => {
  const header = theDevice("net").structs.find(({ specName }) => specName === "virtio_net_hdr");
  expect(header?.kind).toBe("header");
  expect(header?.minSize).toBe(12);
  const ends = (header?.fields ?? []).map(
    ({ specName, condition, offset, size }): readonly [string, string | null, number] => [
      specName,
      condition,
      (offset ?? NaN) + (size ?? NaN),
    ],
  );
  expect(ends.filter(([, condition]) => condition !== null)).toEqual([
    ["hash_value", "HASH_REPORT", 16],
    ["hash_report", "HASH_REPORT", 18],
    ["padding_reserved", "HASH_REPORT", 20],
    ["outer_th_offset", "HOST_UDP_TUNNEL_GSO || GUEST_UDP_TUNNEL_GSO", 22],
    ["inner_nh_offset", "HOST_UDP_TUNNEL_GSO || GUEST_UDP_TUNNEL_GSO", 24],
    ["outer_nh_offset", "OUT_NET_HEADER", 26],
    ["padding_reserved_2", "OUT_NET_HEADER || IPSEC", 32],
    ["ipsec_resource_hdr", "OUT_NET_HEADER || IPSEC", 32],
  ]);
});

test("everything is little-endian, but for the legacy request", () => {
  const scalarsOf = (type: FieldType): readonly string[] =>
    typeof type === "string" ? [type] : "of" in type ? scalarsOf(type.of) : [];
  const { devices: models, shared } = theModel();
  const fields = [
    ...[...models, shared].flatMap(({ structs }) => structs.flatMap((struct) => (struct.message ? [] : struct.fields))),
    ...models.flatMap(({ config }) => config?.fields ?? []),
    ...models
      .flatMap(({ requests }) => requests)
      .filter(({ specName }) => specName !== "virtio_scsi_pc_req")
      .flatMap(({ variants }) =>
        variants.flatMap((variant) => [...variant.readable, ...(variant.replies[0]?.writable ?? [])]),
      ),
  ];
  const odd = fields.filter(({ type }) =>
    scalarsOf(type).some((scalar) => /^(be|u)\d/.test(scalar) && scalar !== "u8"),
  );
  expect(odd.map(({ specName }) => specName)).toEqual([]);
});

test("structs that the specification has no name for", () => {
  const known = new Set(devices.flatMap(([, expected]) => Object.keys(expected.structs)));
  const others = theModel().devices.flatMap(({ structs }) =>
    structs.filter(({ anonymous, specName }) => !anonymous && !known.has(specName)).map(({ name }) => name),
  );
  expect(others.sort()).toEqual(["ControlMessage", "CvqCfgPart", "Data", "Packet", "StatsReply"]);
});

test("expected fields are what the specification lists", () => {
  // Guards the lists themselves: a slip that makes one of them empty would make the tests above say nothing.
  const count = (device: ExpectedDevice): readonly number[] => [
    Object.keys(device.features).length,
    Object.keys(device.legacyFeatures).length,
    Object.keys(device.structs).length,
    Object.keys(device.constants).length,
  ];
  expect(count(net)).toEqual([42, 3, 35, 125]);
  expect(count(blk)).toEqual([14, 2, 11, 45]);
  expect(count(consoleDevice)).toEqual([3, 0, 3, 8]);
  const fields = Object.values(net.structs).flatMap((struct): readonly ExpectedField[] => Object.values(struct.fields));
  expect(fields.length).toBeGreaterThan(200);
});
