const renamed = "renamed in 1.3: the field has its old name as `was`, and the new one as its name in every release";
const vendorData = "what the vendor adds is a field of its own, so the size varies";
const countOfServices = "the listings count the services: 6, then 7, then 8; a constant has one value for all releases";
const matchInsteadOfUnion = "the union is a match by the type of the request, whose arms are the fields";
const byCommand = "what is in it by class and command are fields of their own";
const ellipsis = "fields of the requests by type stand in place of the ellipsis";
const listOfHeaders = "begins like hdr_list_count, so the headers follow that";

/** Where the definitions differ from the listings of a release, and why. An entry without effect fails the test. */
export const explained: Readonly<Record<string, string>> = {
  "1.2 core virtio_pci_common_cfg.queue_notify_data": renamed,
  "1.2 core vq_config_block.max_num": renamed,
  "1.2 core vq_info_block.num": renamed,
  "1.2 core vq_info_block_legacy.num": renamed,
  "1.2 core virtio_pci_vndr_data has null bytes, not 6": vendorData,
  "1.3 core virtio_pci_vndr_data has null bytes, not 6": vendorData,
  "1.4 core virtio_pci_vndr_data has null bytes, not 6": vendorData,
  "1.2 crypto VIRTIO_CRYPTO_MAX": countOfServices,
  "1.3 crypto VIRTIO_CRYPTO_MAX": countOfServices,
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
