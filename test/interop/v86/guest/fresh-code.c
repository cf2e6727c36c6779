/*
 * fresh-code DEVICE: calls a function in a page of memory, has the device fill that page with another one, and calls that.
 * Prints what each returned.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096
/* So often that an emulator translates it. */
#define CALLS 2000000

int main(int count, char **arguments) {
  if (count != 2) return 2;
  int device = open(arguments[1], O_RDONLY | O_DIRECT);
  void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
  if (device < 0 || page == MAP_FAILED) {
    perror(arguments[1]);
    return 1;
  }
  for (int turn = 0; turn < 3; turn++) {
    if (pread(device, page, PAGE, turn * PAGE) != PAGE) {
      perror("pread");
      return 1;
    }
    int (*volatile function)(void) = (int (*)(void))page;
    int result = 0;
    for (int call = 0; call < CALLS; call++) result = function();
    printf("%d\n", result);
  }
  return 0;
}
