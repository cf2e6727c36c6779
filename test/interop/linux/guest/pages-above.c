/* Says how many pages that processes can write to lie in the machine's memory from an address on:
 *
 *     pages-above ADDRESS PROCESS...
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE 4096
#define IS_PRESENT (1ull << 63)
#define FRAME ((1ull << 55) - 1)

static void die(const char *what) {
  perror(what);
  exit(2);
}

static uint64_t count_in(const char *process, uint64_t first_frame) {
  char name[64], line[512];
  snprintf(name, sizeof name, "/proc/%s/pagemap", process);
  const int pagemap = open(name, O_RDONLY);
  if (pagemap < 0) die(name);
  snprintf(name, sizeof name, "/proc/%s/maps", process);
  FILE *maps = fopen(name, "r");
  if (maps == NULL) die(name);
  uint64_t count = 0;
  while (fgets(line, sizeof line, maps) != NULL) {
    uint64_t start, end;
    char rights[5];
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &start, &end, rights) != 3 || rights[1] != 'w') continue;
    for (uint64_t page = start / PAGE; page < end / PAGE; page++) {
      uint64_t entry;
      if (pread(pagemap, &entry, sizeof entry, (off_t)(page * sizeof entry)) != sizeof entry) die("pagemap");
      if ((entry & IS_PRESENT) != 0 && (entry & FRAME) >= first_frame) count++;
    }
  }
  fclose(maps);
  close(pagemap);
  return count;
}

int main(int count, char **words) {
  if (count < 3) return 64;
  uint64_t pages = 0;
  for (int index = 2; index < count; index++) pages += count_in(words[index], strtoull(words[1], NULL, 0) / PAGE);
  printf("%" PRIu64 "\n", pages);
  return 0;
}
