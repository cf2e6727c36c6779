/* events DEVICE COUNT: says what an input device is, opens it, and prints so many of its events as `type code value`.
 *
 * Lines of the first part: `name ...`, `ids bustype vendor product version`, and for each axis `axis number minimum maximum
 * fuzz flat resolution`; then `ready`.
 */
#include <fcntl.h>
#include <linux/input.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(int count, char **arguments) {
  if (count != 3) return 2;
  int device = open(arguments[1], O_RDONLY);
  char name[256] = "";
  struct input_id id;
  unsigned char axes[ABS_CNT / 8 + 1] = {0};
  if (device < 0 || ioctl(device, EVIOCGNAME(sizeof name - 1), name) < 0 || ioctl(device, EVIOCGID, &id) < 0 ||
      ioctl(device, EVIOCGBIT(EV_ABS, sizeof axes), axes) < 0) {
    perror(arguments[1]);
    return 1;
  }
  printf("name %s\nids %x %x %x %x\n", name, id.bustype, id.vendor, id.product, id.version);
  for (int axis = 0; axis < ABS_CNT; axis++) {
    struct input_absinfo range;
    if ((axes[axis / 8] & 1 << axis % 8) == 0 || ioctl(device, EVIOCGABS(axis), &range) < 0) continue;
    printf("axis %d %d %d %d %d %d\n", axis, range.minimum, range.maximum, range.fuzz, range.flat, range.resolution);
  }
  printf("ready\n");
  fflush(stdout);
  for (int left = atoi(arguments[2]); left > 0; left--) {
    struct input_event event;
    if (read(device, &event, sizeof event) != sizeof event) {
      perror("read");
      return 1;
    }
    printf("%d %d %d\n", event.type, event.code, event.value);
    fflush(stdout);
  }
  return 0;
}
