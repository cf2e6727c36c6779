import { mkdir, readdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { command } from "../linux/command.js";
import type { GuestPrograms } from "../linux/initramfs.js";

/** What Linux says to programs, for all processors. It is with every C compiler of Debian. */
const LINUX_HEADERS = ["linux", "asm-generic"];

/**
 * The programs in guest/, and some of the other guest, for processors of 32 bits. This machine's compiler makes code for them, but its library is for its own:
 * musl's is taken, and what the compiler calls itself (libgcc).
 */
export async function i386Programs(): Promise<GuestPrograms> {
  const version = (await command("gcc", ["-dumpversion"]).catch(() => "")).trim();
  return {
    folder: fileURLToPath(new URL("guest/", import.meta.url)),
    more: ["cipher.c", "vsock.c"].map((name) => fileURLToPath(new URL(`../linux/guest/${name}`, import.meta.url))),
    packages: ["musl-dev", `libgcc-${version}-dev`, "libdrm-dev"],
    async compiler(packages, work) {
      const [tree, headers] = [join(work, "i386"), join(work, "i386-headers")];
      for (const file of packages) await command("dpkg-deb", ["-x", file, tree]);
      await mkdir(headers);
      for (const name of LINUX_HEADERS) await symlink(join("/usr/include", name), join(headers, name));
      const native = (await command("gcc", ["-print-multiarch"])).trim();
      await symlink(join("/usr/include", native, "asm"), join(headers, "asm"));
      const own = (await command("gcc", ["-print-file-name=include"])).trim();
      const musl = join(tree, "usr/lib/i386-linux-musl");
      const names = await readdir(tree, { recursive: true });
      const libgcc = names.find((name) => name.endsWith("/libgcc.a"));
      if (libgcc === undefined) throw new Error(`libgcc-${version}-dev has no libgcc.a`);
      const folders = ["usr/include/i386-linux-musl", "usr/include/libdrm"].map((name) => join(tree, name));
      const include = [...folders, own, headers].flatMap((path) => ["-isystem", path]);
      const kind = ["-m32", "-march=i686", "-static", "-no-pie", "-fno-pie", "-fno-stack-protector"];
      const start = ["crt1.o", "crti.o"].map((name) => join(musl, name));
      const library = [join(musl, "libc.a"), join(tree, libgcc), join(musl, "libc.a"), join(musl, "crtn.o")];
      return async (source, program) => {
        const words = ["-O2", "-s", "-Wall", "-Werror", "-nostdinc", "-nostdlib", ...include];
        await command("gcc", [...kind, ...words, "-o", program, ...start, source, ...library]);
      };
    },
  };
}
