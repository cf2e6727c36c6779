import { coreAbsences, coreAdditions, coreDisagreements, coreRenamings } from "./linux-core-differences.js";

/**
 * Where the specification and Linux's headers differ on purpose. An entry that makes no difference fails the test: then
 * either the model or the header has changed.
 */

/** Headers differ by age; the two conditions are expressions in C that compile where the headers have what they name. */
export interface Difference {
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

/** One struct under another name, and its fields. */
function renamedStruct(
  spec: string,
  linux: string,
  reason: string,
  fields: Readonly<Record<string, string>> = {},
): readonly Renaming[] {
  return [
    { spec, linux, reason },
    ...Object.entries(fields).map(([field, name]) => ({ spec: `${spec}.${field}`, linux: name, reason: "other name" })),
  ];
}

const nameless = "Linux has structs without the fixed and the variable part, and calls them para or req";

export const renamings: readonly Renaming[] = [
  ...coreRenamings,
  // device numbers
  { spec: "VIRTIO_ID_BLK", linux: "VIRTIO_ID_BLOCK", reason: "the word written out" },
  { spec: "VIRTIO_ID_ENTROPY", linux: "VIRTIO_ID_RNG", reason: "Linux's name of the device" },
  { spec: "VIRTIO_ID_RTC", linux: "VIRTIO_ID_CLOCK", reason: "name before there was a chapter" },
  { spec: "VIRTIO_ID_I2C", linux: "VIRTIO_ID_I2C_ADAPTER", reason: "the words written out" },
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
  { spec: "VIRTIO_BALLOON_F_PAGE_REPORTING", linux: "VIRTIO_BALLOON_F_REPORTING", reason: "shorter name" },
  { spec: "VIRTIO_GPIO_MSG_GET_LINE_NAMES", linux: "VIRTIO_GPIO_MSG_GET_NAMES", reason: "shorter name" },
  { spec: "VIRTIO_GPIO_MSG_SET_IRQ_TYPE", linux: "VIRTIO_GPIO_MSG_IRQ_TYPE", reason: "shorter name" },
  { spec: "VIRTIO_VSOCK_SHUTDOWN_F_RECEIVE", linux: "VIRTIO_VSOCK_SHUTDOWN_RCV", reason: "Linux names the mask" },
  { spec: "VIRTIO_VSOCK_SHUTDOWN_F_SEND", linux: "VIRTIO_VSOCK_SHUTDOWN_SEND", reason: "Linux names the mask" },
  // structs
  ...renamedStruct("virtio_gpio_response_N", "virtio_gpio_response_get_names", "named after the request"),
  ...renamedStruct("virtio_gpu_get_edid", "virtio_gpu_cmd_get_edid", "the only command with `cmd` in its name"),
  ...renamedStruct("virtio_scsi_req_cmd", "virtio_scsi_cmd_req", "the words in another order", { id: "tag" }),
  ...renamedStruct("virtio_scsi_req_cmd_in", "virtio_scsi_cmd_resp", "Linux has a struct for what the device writes", {
    residual: "resid",
  }),
  ...renamedStruct("virtio_scsi_ctrl_tmf", "virtio_scsi_ctrl_tmf_req", "Linux has a struct for each direction", {
    id: "tag",
  }),
  ...renamedStruct("virtio_scsi_ctrl_an", "virtio_scsi_ctrl_an_req", "Linux has a struct for each direction"),
  ...renamedStruct("virtio_crypto_create_session_input", "virtio_crypto_session_input", "shorter name"),
  ...renamedStruct("virtio_crypto_destroy_session_flf", "virtio_crypto_destroy_session_req", nameless),
  ...renamedStruct("virtio_crypto_hash_create_session_flf", "virtio_crypto_hash_session_para", nameless),
  ...renamedStruct("virtio_crypto_mac_create_session_flf", "virtio_crypto_mac_session_para", nameless),
  ...renamedStruct("virtio_crypto_cipher_session_flf", "virtio_crypto_cipher_session_para", nameless, {
    key_len: "keylen",
  }),
  ...renamedStruct("virtio_crypto_aead_create_session_flf", "virtio_crypto_aead_session_para", nameless, {
    tag_len: "hash_result_len",
  }),
  ...renamedStruct("virtio_crypto_akcipher_create_session_flf", "virtio_crypto_akcipher_session_para", nameless, {
    key_type: "keytype",
    key_len: "keylen",
    algo_flf: "u",
  }),
  ...renamedStruct("virtio_crypto_alg_chain_session_flf", "virtio_crypto_alg_chain_session_para", nameless, {
    cipher_hdr: "cipher_param",
    algo_flf: "u",
    "algo_flf.hash": "u.hash_param",
    "algo_flf.mac": "u.mac_param",
  }),
  ...renamedStruct("virtio_crypto_sym_create_session_flf", "virtio_crypto_sym_create_session_req", nameless, {
    op_flf: "u",
  }),
  ...renamedStruct("virtio_crypto_hash_data_flf", "virtio_crypto_hash_para", nameless),
  ...renamedStruct("virtio_crypto_mac_data_flf", "virtio_crypto_mac_para", nameless, { hdr: "hash" }),
  ...renamedStruct("virtio_crypto_cipher_data_flf", "virtio_crypto_cipher_para", nameless),
  ...renamedStruct("virtio_crypto_alg_chain_data_flf", "virtio_crypto_alg_chain_data_para", nameless),
  ...renamedStruct("virtio_crypto_sym_data_flf", "virtio_crypto_sym_data_req", nameless, { op_type_flf: "u" }),
  ...renamedStruct("virtio_crypto_aead_data_flf", "virtio_crypto_aead_para", nameless),
  ...renamedStruct("virtio_crypto_akcipher_data_flf", "virtio_crypto_akcipher_para", nameless),
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
  { spec: "virtio_crypto_ctrl_header.reserved", linux: "queue_id", reason: "it meant something once" },
  { spec: "virtio_iommu_fault.reserved1", linux: "reserved2", reason: "counted from `reserved`" },
  { spec: "virtio_mem_resp_state.type", linux: "state", reason: "other name" },
  ...["virtio_mem_req.plug", "virtio_mem_req.unplug", "virtio_mem_req.state", "virtio_mem_resp.state"].map((spec) => ({
    spec,
    linux: `u.${spec.replace(/.*\./, "")}`,
    reason: "Linux's union has a name",
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
  ...coreDisagreements,
  { what: "sizeof virtio_net_config", reason: "Linux has no `supported_tunnel_types`" },
  { what: "sizeof virtio_net_hdr", reason: "Linux's largest header is the one with the hash, of 20 bytes" },
  { what: "VIRTIO_CRYPTO_AKCIPHER_ECDSA", reason: "Linux has DSA = 2 before it" },
  { what: "VIRTIO_I2C_FLAGS_FAIL_NEXT", reason: "the specification gives bit numbers, Linux masks" },
  { what: "VIRTIO_I2C_FLAGS_M_RD", reason: "the specification gives bit numbers, Linux masks" },
  { what: "VIRTIO_VSOCK_SHUTDOWN_F_RECEIVE", reason: "the specification gives bit numbers, Linux masks" },
  { what: "VIRTIO_VSOCK_SHUTDOWN_F_SEND", reason: "the specification gives bit numbers, Linux masks" },
  { what: "sizeof virtio_fs_config", reason: "Linux has no `notify_buf_size`" },
  {
    what: "sizeof virtio_gpu_config",
    unless: "VIRTIO_GPU_F_BLOB_ALIGNMENT",
    reason: "no `blob_alignment` in this header",
  },
  { what: "sizeof virtio_snd_config", unless: "VIRTIO_SND_F_CTLS", reason: "no `controls` in this header" },
  { what: "sizeof virtio_snd_ctl_info", where: "VIRTIO_SND_F_CTLS", reason: "Linux's is not packed: 96 bytes" },
  ...["virtio_net_hash_config", "virtio_net_rss_config"].map((struct) => ({
    what: `sizeof ${struct}`,
    reason: "Linux's is not packed, and has one entry of the table",
  })),
  ...["sizeof virtio_scsi_req_cmd", "sizeof virtio_scsi_req_cmd_in"].map((what) => ({
    what,
    reason: "Linux counts `cdb` and `sense` with their default lengths",
  })),
  ...["sizeof virtio_scsi_ctrl_tmf", "sizeof virtio_scsi_ctrl_an"].map((what) => ({
    what,
    reason: "only what the driver writes",
  })),
  ...[
    "sizeof virtio_crypto_op_ctrl_req",
    "sizeof virtio_crypto_op_data_req",
    "sizeof virtio_crypto_destroy_session_flf",
    "sizeof virtio_crypto_hash_create_session_flf",
    "virtio_crypto_alg_chain_session_flf.algo_flf.hash size",
    "virtio_crypto_sym_create_session_flf.op_flf.cipher size",
    "virtio_crypto_sym_data_flf.op_type_flf.cipher size",
  ].map((what) => ({ what, reason: "Linux's is filled up to the largest of its kind" })),
  ...[
    "sizeof virtio_crypto_akcipher_create_session_flf",
    "virtio_crypto_akcipher_create_session_flf.algo_flf size",
  ].map((what) => ({ what, reason: "the specification's is filled up to 44 bytes, Linux's not" })),
  ...["sizeof virtio_crypto_ecdsa_session_para", "virtio_crypto_akcipher_create_session_flf.algo_flf.ecdsa size"].map(
    (what) => ({ what, reason: "Linux's has 4 bytes of padding" }),
  ),
  { what: "sizeof virtio_crypto_aead_data_flf", reason: "Linux's has no `tag_len`" },
  {
    what: "sizeof virtio_blk_config",
    unless: "sizeof(struct virtio_blk_zoned_characteristics)",
    reason: "no zoned devices in this header",
  },
];

/** What only Linux has under a prefix of a device. `linux` is a pattern for the whole name. */
export interface Addition {
  readonly reason: string;
  readonly linux: string;
  /** Not in all releases. */
  readonly sometimes?: true;
}

export const additions: readonly Addition[] = [
  ...coreAdditions,
  {
    linux:
      "VIRTIO_ID_(9P|AUDIO_POLICY|BT|CAIF|DMABUF|IOMEM|MAC80211_HWSIM|MAC80211_WLAN|MEMORY_BALLOON|NITRO_SEC_MOD|" +
      "PARAM_SERV|PSTORE|RPMSG|RPROC_SERIAL|SIGNAL_DIST|VIDEO_DECODER|VIDEO_ENCODER|WATCHDOG)",
    reason: "devices that have a number and no chapter",
  },
  { linux: "VIRTIO_BALLOON_PFN_SHIFT", reason: "the chapter says in words that a page has 4096 bytes" },
  { linux: "VIRTIO_BALLOON_S_(NAMES|NAMES_WITH_PREFIX|NR)", reason: "texts and count, for the implementation" },
  { linux: "VIRTIO_BALLOON_S_\\w+", sometimes: true, reason: "statistics of newer kernels" },
  { linux: "VIRTIO_CRYPTO_AKCIPHER_DSA", reason: "a cipher that the specification does not have" },
  {
    linux: "virtio_crypto_(\\w+_create_session|\\w+_session|\\w+_data)_req",
    reason: "fixed parts filled up to the length that they have without REVISION_1",
  },
  { linux: "VIRTIO_FS_SHMCAP_ID_CACHE", reason: "the chapter gives the region no name: DAX window, number 0" },
  {
    linux: "VIRTIO_GPU_(UNDEFINED|RESOURCE_FLAG_Y_0_TOP)",
    reason: "3D: Linux defines what the chapter only mentions",
  },
  {
    linux: "virtio_gpu_(box|cmd_submit|ctx_destroy|ctx_resource|resource_create_3d|transfer_host_3d)",
    reason: "3D commands, which the chapter names without their layout",
  },
  { linux: "VIRTIO_GPU_CAPSET_\\w+", sometimes: true, reason: "capability sets of newer kernels" },
  { linux: "VIRTIO_IOMMU_FAULT_F_EXEC", reason: "a flag that the specification does not have" },
  { linux: "VIRTIO_IOMMU_(MAP_F|PROBE_T)_MASK", reason: "all values together, for the implementation" },
  { linux: "VIRTIO_IOMMU_PROBE_T_NONE", reason: "the end of a list, which the chapter gives in words" },
  { linux: "VIRTIO_(SCMI|SND)_VQ_\\w+", reason: "indexes of queues" },
  { linux: "VIRTIO_SCSI_(CDB|SENSE)_(DEFAULT_)?SIZE", reason: "defaults, which the chapter gives in words" },
  {
    linux: "virtio_scsi_cmd_req_pi",
    reason: "Linux has the two lengths of protection information in front of `cdb`, the specification behind it",
  },
  {
    linux: "virtio_scsi_ctrl_(an|tmf)_resp",
    reason: "what the device writes, which the chapter has in the same struct",
  },
  { linux: "virtio_snd_chmap_hdr", reason: "a request that is the common header and a number" },
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

/** Fields that Linux's struct does not have. */
export interface Absence {
  readonly field: string;
  readonly reason: string;
  /** Newer headers have it. */
  readonly sometimes?: true;
}

export const absences: readonly Absence[] = [
  ...coreAbsences,
  { field: "virtio_blk_config.topology", reason: "Linux has its fields in its place: see the renamings" },
  { field: "virtio_blk_config.zoned", sometimes: true, reason: "no zoned devices in older headers" },
  { field: "virtio_crypto_aead_data_flf.tag_len", reason: "the length of the tag is the session's" },
  { field: "virtio_crypto_aead_data_flf.reserved", reason: "it fills up `tag_len`" },
  { field: "virtio_crypto_op_ctrl_req.op_flf", reason: "Linux has a member for each request" },
  { field: "virtio_crypto_op_data_req.op_flf", reason: "Linux has a member for each request" },
  { field: "virtio_fs_config.notify_buf_size", reason: "Linux has no notification queue" },
  { field: "virtio_gpu_config.blob_alignment", sometimes: true, reason: "new in 1.4" },
  { field: "virtio_mem_req.unused", reason: "room in the union, which Linux does not need" },
  { field: "virtio_mem_resp.unused", reason: "room in the union, which Linux does not need" },
  { field: "virtio_net_hdr.outer_th_offset", reason: "the header with the hash ends before it" },
  { field: "virtio_net_hdr.inner_nh_offset", reason: "the header with the hash ends before it" },
  { field: "virtio_net_hdr.outer_nh_offset", reason: "new in 1.4" },
  { field: "virtio_net_hdr.padding_reserved_2", reason: "new in 1.4" },
  { field: "virtio_net_hdr.ipsec_resource_hdr", reason: "new in 1.4" },
  { field: "virtio_net_config.supported_tunnel_types", reason: "Linux does not hash inner headers" },
  { field: "virtio_scsi_ctrl_tmf.response", reason: "in a struct of its own" },
  { field: "virtio_scsi_ctrl_an.event_actual", reason: "in a struct of its own" },
  { field: "virtio_scsi_ctrl_an.response", reason: "in a struct of its own" },
  { field: "virtio_snd_config.controls", sometimes: true, reason: "no controls in older headers" },
];
