/**
 * Where the specification and Linux's headers differ on purpose. An entry that makes no difference fails the test: then
 * either the model or the header has changed.
 */

/** Headers differ by age; the two conditions are expressions in C that compile where the headers have what they name. */
interface Difference {
  /** Why it is not a mistake of the model. */
  readonly reason: string;
  /** The entry is needed only where this compiles. */
  readonly where?: string;
  /** The entry is needed only where this does not compile. */
  readonly unless?: string;
}

/** The same thing under another name. Fields are written `struct.path`, with the specification's name of the struct. */
export interface Renaming extends Difference {
  readonly spec: string;
  readonly linux: string;
}

export const renamings: readonly Renaming[] = [
  // constants
  ...["IPv4", "TCPv4", "UDPv4", "IPv6", "TCPv6", "UDPv6", "IP_EX", "TCP_EX", "UDP_EX"].map((type) => ({
    spec: `VIRTIO_NET_HASH_TYPE_${type}`,
    linux: `VIRTIO_NET_RSS_HASH_TYPE_${type}`,
    reason: "Linux keeps the name that the feature had in its draft",
  })),
  {
    spec: "VIRTIO_CONSOLE_DEVICE_ADD",
    linux: "VIRTIO_CONSOLE_PORT_ADD",
    reason: "older name, which the chapter still uses",
  },
  { spec: "VIRTIO_CONSOLE_DEVICE_REMOVE", linux: "VIRTIO_CONSOLE_PORT_REMOVE", reason: "older name" },
  // structs
  {
    spec: "virtio_net_hdr",
    linux: "virtio_net_hdr_v1_hash",
    reason: "Linux gives the legacy header of 10 bytes this name",
  },
  { spec: "virtio_net_ctrl_mq_pairs_set", linux: "virtio_net_ctrl_mq", reason: "name in 1.0 and 1.1" },
  {
    spec: "virtio_net_ctrl",
    linux: "virtio_net_ctrl_hdr",
    reason: "Linux has a struct for the start of a command only",
  },
  { spec: "virtio_blk_req", linux: "virtio_blk_outhdr", reason: "Linux has a struct for the start of a request only" },
  {
    spec: "virtio_net_ctrl_coal",
    linux: "virtio_net_ctrl_coal_tx",
    unless: "sizeof(struct virtio_net_ctrl_coal)",
    reason: "Linux had one struct for each direction before coalescing of single queues came",
  },
  // fields
  ...["flags", "gso_type", "hdr_len", "gso_size", "csum_start", "csum_offset", "num_buffers"].map((field) => ({
    spec: `virtio_net_hdr.${field}`,
    linux: `hdr.${field}`,
    reason: "Linux nests the first 12 bytes",
  })),
  { spec: "virtio_net_ctrl.command", linux: "cmd", reason: "shorter name" },
  { spec: "virtio_blk_req.reserved", linux: "ioprio", reason: "name in the legacy interface" },
  { spec: "virtio_net_hdr.padding_reserved", linux: "padding", reason: "shorter name" },
  {
    spec: "virtio_net_ctrl_coal.max_packets",
    linux: "tx_max_packets",
    unless: "sizeof(struct virtio_net_ctrl_coal)",
    reason: "one struct for each direction",
  },
  {
    spec: "virtio_net_ctrl_coal.max_usecs",
    linux: "tx_usecs",
    unless: "sizeof(struct virtio_net_ctrl_coal)",
    reason: "one struct for each direction",
  },
  {
    spec: "virtio_net_ctrl_coal_vq.vq_index",
    linux: "vqn",
    where: "sizeof(struct virtio_net_ctrl_coal_vq)",
    reason: "name in drafts of 1.3",
  },
  ...(["rx", "tx"] as const).flatMap((direction) =>
    (["packets", "bytes"] as const).map((what) => ({
      spec: `virtio_net_stats_${direction}_speed.${direction}_${what}_allowance_exceeded`,
      linux: `${direction}_ratelimit_${what}`,
      where: `sizeof(struct virtio_net_stats_${direction}_speed)`,
      reason: "shorter name",
    })),
  ),
  ...["physical_block_exp", "alignment_offset", "min_io_size", "opt_io_size"].map((field) => ({
    spec: `virtio_blk_config.topology.${field}`,
    linux: field,
    reason: "Linux has no struct for the topology",
  })),
  { spec: "virtio_blk_config.writeback", linux: "wce", reason: "older name" },
  { spec: "virtio_blk_config.unused0", linux: "unused", reason: "shorter name" },
];

/** What both have, with another number. `what`: a constant, `sizeof struct`, or `struct.path offset` or `... size`. */
export interface Disagreement extends Difference {
  readonly what: string;
}

export const disagreements: readonly Disagreement[] = [
  { what: "sizeof virtio_net_config", reason: "Linux has no `supported_tunnel_types`" },
  { what: "sizeof virtio_net_hdr", reason: "Linux's largest header is the one with the hash, of 20 bytes" },
  {
    what: "sizeof virtio_blk_config",
    unless: "sizeof(struct virtio_blk_zoned_characteristics)",
    reason: "no zoned devices in this header",
  },
];

/** What only Linux has under a prefix of these devices. */
export interface Addition {
  readonly reason: string;
  readonly linux: string;
  /** Not in all releases. */
  readonly sometimes?: true;
}

export const additions: readonly Addition[] = [
  { linux: "VIRTIO_BLK_F_WCE", reason: "legacy name of FLUSH, mentioned in a note" },
  { linux: "VIRTIO_BLK_ID_BYTES", reason: "the chapter writes the 20 out" },
  { linux: "VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP", reason: "a bit-field in the specification" },
  { linux: "VIRTIO_CONSOLE_BAD_ID", reason: "of the implementation: an id that no port has" },
  { linux: "virtio_net_hdr_v1", reason: "first 12 bytes of the header" },
  { linux: "virtio_net_hdr_mrg_rxbuf", reason: "the same, from the legacy interface" },
  { linux: "virtio_net_ctrl_coal_rx", reason: "the same as for transmit queues" },
  { linux: "virtio_scsi_inhdr", reason: "end of a legacy SCSI packet command" },
  {
    linux: "virtio_net_ctrl_coal_tx",
    sometimes: true,
    reason: "kept beside virtio_net_ctrl_coal, whose place it took in older headers",
  },
  { linux: "VIRTIO_NET_HDR_GSO_UDP_TUNNEL", sometimes: true, reason: "both flags together" },
  { linux: "VIRTIO_NET_F_GUEST_UDP_TUNNEL_GSO_MAPPED", sometimes: true, reason: "name for the offload's own bit" },
  { linux: "VIRTIO_NET_F_GUEST_UDP_TUNNEL_GSO_CSUM_MAPPED", sometimes: true, reason: "name for the offload's own bit" },
  { linux: "virtio_net_hdr_v1_hash_tunnel", sometimes: true, reason: "first 24 bytes of the header" },
  { linux: "virtio_net_rss_config_hdr", sometimes: true, reason: "first part of virtio_net_rss_config" },
  { linux: "virtio_net_rss_config_trailer", sometimes: true, reason: "last part of virtio_net_rss_config" },
];
