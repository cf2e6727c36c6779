/* The kernel's ciphers, by name (AF_ALG): `cipher NAME encrypt|decrypt KEY IV` runs the standard input through one, in CBC mode, and
 * writes what comes out. Key and IV are in hexadecimal; the input is a multiple of the block's 16 bytes.
 */
#include <linux/if_alg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BLOCK = 16, CHUNK = 16384 };

static int fail(const char *what) {
  perror(what);
  return 1;
}

static size_t from_hex(const char *text, uint8_t *bytes, size_t most) {
  size_t length = 0;
  for (unsigned byte; length < most && sscanf(text + 2 * length, "%2x", &byte) == 1; length++) bytes[length] = (uint8_t)byte;
  return length;
}

/* Sends one piece with its operation and IV. */
static ssize_t submit(int line, uint32_t operation, const uint8_t *iv, uint8_t *bytes, size_t length) {
  char control[CMSG_SPACE(sizeof operation) + CMSG_SPACE(sizeof(struct af_alg_iv) + BLOCK)] = {0};
  struct iovec part = {.iov_base = bytes, .iov_len = length};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_ALG;
  header->cmsg_type = ALG_SET_OP;
  header->cmsg_len = CMSG_LEN(sizeof operation);
  memcpy(CMSG_DATA(header), &operation, sizeof operation);
  header = CMSG_NXTHDR(&message, header);
  header->cmsg_level = SOL_ALG;
  header->cmsg_type = ALG_SET_IV;
  header->cmsg_len = CMSG_LEN(sizeof(struct af_alg_iv) + BLOCK);
  struct af_alg_iv *own = (struct af_alg_iv *)CMSG_DATA(header);
  own->ivlen = BLOCK;
  memcpy(own->iv, iv, BLOCK);
  return sendmsg(line, &message, 0);
}

int main(int count, char **arguments) {
  if (count != 5) return 2;
  struct sockaddr_alg address = {.salg_family = AF_ALG, .salg_type = "skcipher"};
  snprintf((char *)address.salg_name, sizeof address.salg_name, "%s", arguments[1]);
  uint32_t operation = strcmp(arguments[2], "encrypt") == 0 ? ALG_OP_ENCRYPT : ALG_OP_DECRYPT;
  uint8_t key[64], iv[BLOCK] = {0};
  size_t key_length = from_hex(arguments[3], key, sizeof key);
  from_hex(arguments[4], iv, BLOCK);

  int cipher = socket(AF_ALG, SOCK_SEQPACKET, 0);
  if (cipher < 0 || bind(cipher, (struct sockaddr *)&address, sizeof address) < 0) return fail("bind");
  if (setsockopt(cipher, SOL_ALG, ALG_SET_KEY, key, (socklen_t)key_length) < 0) return fail("key");
  int line = accept(cipher, NULL, NULL);
  if (line < 0) return fail("accept");

  static uint8_t in[CHUNK], out[CHUNK];
  size_t length;
  while ((length = fread(in, 1, CHUNK, stdin)) > 0) {
    if (submit(line, operation, iv, in, length) != (ssize_t)length) return fail("send");
    for (size_t done = 0; done < length;) {
      ssize_t part = read(line, out + done, length - done);
      if (part <= 0) return fail("read");
      done += (size_t)part;
    }
    /* The next piece goes on from the last block of the ciphertext. */
    memcpy(iv, (operation == ALG_OP_ENCRYPT ? out : in) + length - BLOCK, BLOCK);
    if (fwrite(out, 1, length, stdout) != length) return fail("write");
  }
  return 0;
}
