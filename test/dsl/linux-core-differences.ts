import type { Absence, Addition, Disagreement, Renaming } from "./linux-differences.js";

/** The differences in what all devices share: virtio_config.h, virtio_ring.h, virtio_pci.h and virtio_mmio.h. */

/** Names that differ behind a prefix. */
function renamed(spec: string, linux: string, reason: string, names: Readonly<Record<string, string>>): Renaming[] {
  return Object.entries(names).map(([ours, theirs]) => ({ spec: spec + ours, linux: linux + theirs, reason }));
}

function same(...names: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(names.map((name) => [name, name]));
}

const vring = "Linux says vring for virtq";
const legacyWords = "words of the legacy interface: guest, available and used, number for size";

export const coreRenamings: readonly Renaming[] = [
  ...renamed("VIRTIO_DEVICE_STATUS_", "VIRTIO_CONFIG_S_", "the chapter gives the bits no prefix", {
    ...same("ACKNOWLEDGE", "DRIVER", "DRIVER_OK", "FEATURES_OK", "FAILED"),
    DEVICE_NEEDS_RESET: "NEEDS_RESET",
  }),
  ...renamed("VIRTIO_F_", "VIRTIO_RING_F_", "the prefix tells where it belongs", same("INDIRECT_DESC", "EVENT_IDX")),
  // rings
  ...renamed("VIRTQ_DESC_F_", "VRING_DESC_F_", vring, same("NEXT", "WRITE", "INDIRECT")),
  ...renamed("VIRTQ_DESC_F_", "VRING_PACKED_DESC_F_", vring, same("AVAIL", "USED")),
  ...renamed("VIRTQ_", "VRING_", vring, same("USED_F_NO_NOTIFY", "AVAIL_F_NO_INTERRUPT")),
  ...renamed("RING_EVENT_FLAGS_", "VRING_PACKED_EVENT_FLAG_", vring, same("ENABLE", "DISABLE", "DESC")),
  ...renamed("virtq_", "vring_", vring, same("desc", "avail", "used", "used_elem")),
  { spec: "pvirtq_desc", linux: "vring_packed_desc", reason: vring },
  { spec: "pvirtq_event_suppress", linux: "vring_packed_desc_event", reason: vring },
  { spec: "pvirtq_event_suppress.desc", linux: "off_wrap", reason: "named after its parts" },
  // PCI
  ...renamed("VIRTIO_PCI_COMMON_CFG_", "VIRTIO_PCI_COMMON_", "abbreviations", {
    DEVICE_FEATURE_SELECT: "DFSELECT",
    DEVICE_FEATURE: "DF",
    DRIVER_FEATURE_SELECT: "GFSELECT",
    DRIVER_FEATURE: "GF",
    CONFIG_MSIX_VECTOR: "MSIX",
    NUM_QUEUES: "NUMQ",
    DEVICE_STATUS: "STATUS",
    CONFIG_GENERATION: "CFGGENERATION",
    QUEUE_SELECT: "Q_SELECT",
    QUEUE_SIZE: "Q_SIZE",
    QUEUE_MSIX_VECTOR: "Q_MSIX",
    QUEUE_ENABLE: "Q_ENABLE",
    QUEUE_NOTIFY_OFF: "Q_NOFF",
    QUEUE_DESC: "Q_DESCLO",
    QUEUE_DRIVER: "Q_AVAILLO",
    QUEUE_DEVICE: "Q_USEDLO",
  }),
  ...Object.entries({ QUEUE_NOTIF_CONFIG_DATA: "NDATA", QUEUE_RESET: "RESET" }).map(([ours, theirs]) => ({
    spec: `VIRTIO_PCI_COMMON_CFG_${ours}`,
    linux: `VIRTIO_PCI_COMMON_Q_${theirs}`,
    where: `VIRTIO_PCI_COMMON_Q_${theirs}`,
    reason: "abbreviations",
  })),
  ...renamed("virtio_pci_common_cfg.", "", legacyWords, {
    driver_feature_select: "guest_feature_select",
    driver_feature: "guest_feature",
    config_msix_vector: "msix_config",
    queue_desc: "queue_desc_lo",
    queue_driver: "queue_avail_lo",
    queue_device: "queue_used_lo",
  }),
  { spec: "VIRTIO_PCI_ISR_DEVICE_CONFIGURATION_INTERRUPT", linux: "VIRTIO_PCI_ISR_CONFIG", reason: "shorter name" },
  ...renamed("VIRTIO_HEADER_", "VIRTIO_PCI_", legacyWords, {
    DEVICE_FEATURES: "HOST_FEATURES",
    DRIVER_FEATURES: "GUEST_FEATURES",
    QUEUE_ADDRESS: "QUEUE_PFN",
    QUEUE_SIZE: "QUEUE_NUM",
    QUEUE_SELECT: "QUEUE_SEL",
    QUEUE_NOTIFY: "QUEUE_NOTIFY",
    DEVICE_STATUS: "STATUS",
    ISR_STATUS: "ISR",
  }),
  ...renamed("VIRTIO_HEADER_", "VIRTIO_MSI_", "another prefix", {
    CONFIG_MSIX_VECTOR: "CONFIG_VECTOR",
    QUEUE_MSIX_VECTOR: "QUEUE_VECTOR",
  }),
  // MMIO
  ...renamed("VIRTIO_MMIO_", "VIRTIO_MMIO_", legacyWords, {
    QUEUE_SIZE_MAX: "QUEUE_NUM_MAX",
    QUEUE_SIZE: "QUEUE_NUM",
    QUEUE_DRIVER_LOW: "QUEUE_AVAIL_LOW",
    QUEUE_DRIVER_HIGH: "QUEUE_AVAIL_HIGH",
    QUEUE_DEVICE_LOW: "QUEUE_USED_LOW",
    QUEUE_DEVICE_HIGH: "QUEUE_USED_HIGH",
    LEGACY_GUEST_PAGE_SIZE: "GUEST_PAGE_SIZE",
    LEGACY_QUEUE_ALIGN: "QUEUE_ALIGN",
    LEGACY_QUEUE_PFN: "QUEUE_PFN",
    INT_USED_BUFFER_NOTIFICATION: "INT_VRING",
    INT_CONFIGURATION_CHANGE_NOTIFICATION: "INT_CONFIG",
  }),
];

const bits = "the chapter numbers the bits, Linux has masks";

export const coreDisagreements: readonly Disagreement[] = [
  ...["VIRTQ_DESC_F_AVAIL", "VIRTQ_DESC_F_USED"].map((what) => ({
    what,
    reason: "the chapter has masks, Linux numbers the bits",
  })),
  { what: "VIRTIO_PCI_ISR_DEVICE_CONFIGURATION_INTERRUPT", reason: bits },
  { what: "VIRTIO_MMIO_INT_USED_BUFFER_NOTIFICATION", reason: bits },
  { what: "VIRTIO_MMIO_INT_CONFIGURATION_CHANGE_NOTIFICATION", reason: bits },
  ...["queue_desc", "queue_driver", "queue_device"].map((field) => ({
    what: `virtio_pci_common_cfg.${field} size`,
    reason: "Linux has a field for each half",
  })),
  { what: "sizeof virtio_pci_common_cfg", reason: "Linux's ends with 1.0; it cannot grow, as programs embed it" },
];

export const coreAbsences: readonly Absence[] = [
  "queue_notif_config_data",
  "queue_reset",
  "admin_queue_index",
  "admin_queue_num",
].map((field) => ({ field: `virtio_pci_common_cfg.${field}`, reason: "came after 1.0; Linux's struct cannot grow" }));

export const coreAdditions: readonly Addition[] = [
  { linux: "VIRTIO_F_IOMMU_PLATFORM", reason: "name of ACCESS_PLATFORM in 1.0" },
  { linux: "VIRTIO_TRANSPORT_F_(START|END)", reason: "range of the bits, for the implementation" },
  { linux: "VIRTIO_PCI_(ABI_VERSION|QUEUE_ADDR_SHIFT|VRING_ALIGN)", reason: "legacy; the chapter has them in words" },
  {
    linux: "VIRTIO_PCI_(CAP_(BAR|CFG_TYPE|LEN|LENGTH|NEXT|OFFSET|VNDR)|NOTIFY_CAP_MULT)",
    reason: "offsets of the fields of a struct that both have",
  },
  { linux: "VIRTIO_PCI_COMMON_Q_(DESC|AVAIL|USED)HI", reason: "the upper half of a field of 64 bits" },
  { linux: "VIRTIO_PCI_COMMON_ADM_Q_(IDX|NUM)", sometimes: true, reason: "abbreviations, in newer headers" },
  { linux: "virtio_pci_modern_common_cfg", sometimes: true, reason: "the struct with what came after 1.0" },
  { linux: "VRING_(AVAIL|DESC|USED)_ALIGN_SIZE", reason: "alignments, which the chapter has in a table" },
  { linux: "VRING_PACKED_EVENT_F_WRAP_CTR", reason: "a bit-field in the specification" },
  { linux: "vring", reason: "pointers to the three parts, of the implementation" },
];
