import type { ConstantModel, EnumMemberModel, EnumModel, Model, SharedModel } from "../model/device-model.js";
import { compareVersions } from "../model/versions.js";

/**
 * A name whose value has changed is there once for each range of releases (`MAX_1_2 = 6 as VIRTIO_CRYPTO_MAX until 1.2`).
 * Without a release that is asked for, the newest one counts.
 */
export function withoutSuperseded(model: Model): Model {
  return { ...model, devices: model.devices.map(current), shared: current(model.shared) };
}

function current<Room extends SharedModel>(room: Room): Room {
  const enums = room.enums.map((declared) => ({
    ...declared,
    members: declared.members.filter((member) => !isSuperseded(member, declared.members)),
  }));
  return { ...room, enums, constants: constantsOf(room.constants, room.enums, enums) };
}

function isSuperseded({ specName, until }: EnumMemberModel, members: readonly EnumMemberModel[]): boolean {
  if (until === null) return false;
  return members.some((other) => other.specName === specName && compareVersions(other.since, until) > 0);
}

/** The constants without those whose member is gone. */
export function constantsOf(
  constants: readonly ConstantModel[],
  before: readonly EnumModel[],
  after: readonly EnumModel[],
): readonly ConstantModel[] {
  const keys = (enums: readonly EnumModel[]): Set<string> =>
    new Set(enums.flatMap(({ name, members }) => members.map((member) => `${name}.${member.name}`)));
  const [were, are] = [keys(before), keys(after)];
  return constants.filter(({ of, name }) => !were.has(`${of ?? ""}.${name}`) || are.has(`${of ?? ""}.${name}`));
}
