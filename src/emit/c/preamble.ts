/**
 * What every header needs; guarded, so that any number of them can be included. Linux's types where they are (unless
 * VIRTIO_GEN_NO_LINUX_TYPES is defined), the same by hand where not.
 */
export const preamble = `#include <stddef.h>

#ifndef VIRTIO_GEN_TYPES
#define VIRTIO_GEN_TYPES
#if defined(__has_include) && !defined(VIRTIO_GEN_NO_LINUX_TYPES)
#if __has_include(<linux/types.h>)
#include <linux/types.h>
#define VIRTIO_GEN_LINUX_TYPES
#endif
#endif
#ifndef VIRTIO_GEN_LINUX_TYPES
#include <stdint.h>
typedef uint8_t __u8;
typedef uint16_t __u16;
typedef uint32_t __u32;
typedef uint64_t __u64;
typedef uint16_t __le16;
typedef uint32_t __le32;
typedef uint64_t __le64;
typedef uint16_t __be16;
typedef uint32_t __be32;
typedef uint64_t __be64;
#endif
#if defined(__cplusplus) && !defined(_Static_assert)
#define _Static_assert static_assert
#endif
#endif /* VIRTIO_GEN_TYPES */
`;

/** Members that C or C++ alone do not have, but every compiler does. */
export const extensionsOn = `#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#endif
`;
export const extensionsOff = `#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif
`;
