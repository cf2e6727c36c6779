const vendorData = "what the vendor adds is a field of its own, so the size varies";
const matchInsteadOfUnion = "the union is a match by the type of the request, whose arms are the fields";
const byCommand = "what is in it by class and command are fields of their own";
const ellipsis = "fields of the requests by type stand in place of the ellipsis";
const listOfHeaders = "begins like hdr_list_count, so the headers follow that";

/** Where the definitions differ from the listings of a release, and why. An entry without effect fails the test. */
export const explained: Readonly<Record<string, string>> = {
  "1.2 core virtio_pci_vndr_data has null bytes, not 6": vendorData,
  "1.3 core virtio_pci_vndr_data has null bytes, not 6": vendorData,
  "1.4 core virtio_pci_vndr_data has null bytes, not 6": vendorData,
  "1.2 mem virtio_mem_req.u": matchInsteadOfUnion,
  "1.3 mem virtio_mem_req.u": matchInsteadOfUnion,
  "1.4 mem virtio_mem_req.u": matchInsteadOfUnion,
  "1.2 mem virtio_mem_resp.u": matchInsteadOfUnion,
  "1.3 mem virtio_mem_resp.u": matchInsteadOfUnion,
  "1.4 mem virtio_mem_resp.u": matchInsteadOfUnion,
  "1.2 net virtio_net_ctrl.command-specific-data": byCommand,
  "1.3 net virtio_net_ctrl.command-specific-data": byCommand,
  "1.4 net virtio_net_ctrl.command-specific-data": byCommand,
  "1.4 net virtio_net_ctrl.command-specific-result": byCommand,
  "1.2 scsi virtio_scsi_ctrl has null bytes, not 5": ellipsis,
  "1.3 scsi virtio_scsi_ctrl has null bytes, not 5": ellipsis,
  "1.4 scsi virtio_scsi_ctrl has null bytes, not 5": ellipsis,
  "1.2 scsi virtio_scsi_ctrl.response": ellipsis,
  "1.3 scsi virtio_scsi_ctrl.response": ellipsis,
  "1.4 scsi virtio_scsi_ctrl.response": ellipsis,
  "1.4 core virtio_admin_cmd_dev_parts_metadata_result.hdr_list": listOfHeaders,
};

const misprint = "misprint of a name that is right elsewhere";
const noValue = "named in passing, without a value";
const macro = "a macro that makes values of two numbers";
const fieldOrGroup = "a group of values, or the field that holds them";

/** Names in the text of a release that the definitions do not have, and why. */
export const notDefined: Readonly<Record<string, string>> = {
  VIRTIO_ADMIN_CMD_CAP_SUPPORT_QUERY: misprint,
  VIRTIO_ADMIN_CMD_DEVICE_CAP_SET: misprint,
  VIRTIO_ADMIN_CMD_DEV_MODE_FLAGS_STOPPED: misprint,
  VIRTIO_ADMIN_CMD_DRIVER_CAP_GET: misprint,
  VIRTIO_ADMIN_CMD_RESOURCE_QUERY: misprint,
  VIRTIO_ADMIN_STATUS_EEXIT: misprint,
  VIRTIO_ADMIN_STATUS_INVALID_FIELD: misprint,
  VIRTIO_BLK_F_WCE: "the old name of FLUSH, which says nothing else",
  VIRTIO_BLK_T_ZONE_EOPEN: misprint,
  VIRTIO_CAN_F_CAN_LATE_TX_ACK: misprint,
  VIRTIO_CAN_OK: misprint,
  VIRTIO_CONSOLE_PORT_ADD: misprint,
  VIRTIO_CRYPTO_CIPHER: misprint,
  VIRTIO_CRYPTO_OPCDE: misprint,
  VIRTIO_CRYPTO_OPCODE: macro,
  VIRTIO_CRYPTO_RESOURCE_OBJ_IPSEC_INB_SA: misprint,
  VIRTIO_CRYPTO_RESOURCE_OBJ_IPSEC_OUTB_SA: misprint,
  VIRTIO_CRYPTO_STATUS: fieldOrGroup,
  VIRTIO_CYRPTO_AKCIPHER: misprint,
  VIRTIO_DEV_PART_DEVICE_STAtUS: misprint,
  VIRTIO_DEV_PART_DEV_CFG: misprint,
  VIRTIO_DEV_PART_DRV_CFG: misprint,
  VIRTIO_NET_F_CTRL_RX_EXTRA: noValue,
  VIRTIO_NET_F_GUEST_UDP: misprint,
  VIRTIO_NET_HDR_F_GSO_UDP_TUNNEL_IPV4: misprint,
  VIRTIO_NET_HDR_F_GSO_UDP_TUNNEL_IPV6: misprint,
  VIRTIO_OBJECT: misprint,
};

const withoutPrefix = "named in the text, without VIRTIO in front";
const noName = "the text has the number and a description";

/** Names that the definitions have and the text of no release has, and why. */
export const ownNames: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/^(ACKNOWLEDGE|DRIVER|DRIVER_OK|FEATURES_OK|SUSPEND|DEVICE_NEEDS_RESET|FAILED)$/, withoutPrefix],
  [/^VIRTIO_DEVICE_ID_/, "by the titles in the table of device types"],
  [/^VIRTIO_TRANSITIONAL_PCI_ID_/, "by the titles in the table of transitional devices"],
  [/^(VIRTIO_PCI_VENDOR_ID|VIRTIO_PCI_DEVICE_ID_BASE|VIRTIO_CCW_CONTROL_UNIT_TYPE)$/, noName],
  [/^VIRTIO_(PCI_ISR|MMIO_INT)_/, noName],
  [/^VIRTIO_F_UNUSED$/, noName],
  [/^VIRTIO_ADMIN_GROUP_TYPE_(SELF|SR_IOV)$/, noName],
  [/^VIRTIO_ADMIN_CMD_NOTIFY_INFO_FLAGS_/, noName],
  [/^RING_EVENT_FLAGS_RESERVED$/, "the listing has it without a prefix"],
];
