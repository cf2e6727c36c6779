/*
 * draw: shows a picture of its own on the first screen that is connected, then changes a part of it, shows a cursor and moves it.
 * Says what it does, a line each, and keeps it all until it is killed. pixel() is in screen-tests.ts, too.
 */
#include <drm.h>
#include <drm_mode.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

struct picture {
  uint32_t *pixels;
  uint32_t stride, handle, id;
};

static int card;

static void ask(unsigned long request, void *words, const char *what) {
  if (ioctl(card, request, words) == 0) return;
  perror(what);
  exit(1);
}

static uint32_t pixel(uint32_t x, uint32_t y, uint32_t seed) {
  return ((x * 7 + seed) & 0xff) << 16 | ((y * 11 + seed) & 0xff) << 8 | ((x ^ y) & 0xff);
}

static struct picture make(uint32_t width, uint32_t height) {
  struct drm_mode_create_dumb dumb = {.width = width, .height = height, .bpp = 32};
  ask(DRM_IOCTL_MODE_CREATE_DUMB, &dumb, "create");
  struct drm_mode_map_dumb map = {.handle = dumb.handle};
  ask(DRM_IOCTL_MODE_MAP_DUMB, &map, "map");
  struct picture made = {.stride = dumb.pitch / 4, .handle = dumb.handle};
  made.pixels = mmap(NULL, dumb.size, PROT_READ | PROT_WRITE, MAP_SHARED, card, (off_t)map.offset);
  if (made.pixels == MAP_FAILED) {
    perror("mmap");
    exit(1);
  }
  return made;
}

static void fill(struct picture *to, uint32_t x1, uint32_t y1, uint32_t x2, uint32_t y2, uint32_t seed) {
  for (uint32_t y = y1; y < y2; y++)
    for (uint32_t x = x1; x < x2; x++) to->pixels[y * to->stride + x] = pixel(x, y, seed);
}

int main(void) {
  card = open("/dev/dri/card0", O_RDWR);
  if (card < 0) {
    perror("card0");
    return 1;
  }
  uint32_t crtc, connector;
  struct drm_mode_card_res resources = {
      .crtc_id_ptr = (uintptr_t)&crtc, .count_crtcs = 1, .connector_id_ptr = (uintptr_t)&connector, .count_connectors = 1};
  ask(DRM_IOCTL_MODE_GETRESOURCES, &resources, "resources");
  static struct drm_mode_modeinfo modes[64];
  struct drm_mode_get_connector screen = {.connector_id = connector};
  ask(DRM_IOCTL_MODE_GETCONNECTOR, &screen, "connector");
  // Which properties and encoders there are does not matter.
  struct drm_mode_get_connector found = {
      .connector_id = connector, .modes_ptr = (uintptr_t)modes, .count_modes = screen.count_modes < 64 ? screen.count_modes : 64};
  ask(DRM_IOCTL_MODE_GETCONNECTOR, &found, "modes");
  uint32_t width = modes[0].hdisplay, height = modes[0].vdisplay;
  printf("screen %ux%u\n", width, height);

  struct picture picture = make(width, height);
  fill(&picture, 0, 0, width, height, 1);
  struct drm_mode_fb_cmd frame = {
      .width = width, .height = height, .pitch = 4 * picture.stride, .bpp = 32, .depth = 24, .handle = picture.handle};
  ask(DRM_IOCTL_MODE_ADDFB, &frame, "frame");
  struct drm_mode_crtc shown = {.crtc_id = crtc,
                                .fb_id = frame.fb_id,
                                .set_connectors_ptr = (uintptr_t)&connector,
                                .count_connectors = 1,
                                .mode = modes[0],
                                .mode_valid = 1};
  ask(DRM_IOCTL_MODE_SETCRTC, &shown, "show");

  fill(&picture, 10, 20, 60, 60, 99);
  struct drm_clip_rect part = {.x1 = 10, .y1 = 20, .x2 = 60, .y2 = 60};
  struct drm_mode_fb_dirty_cmd dirty = {.fb_id = frame.fb_id, .num_clips = 1, .clips_ptr = (uintptr_t)&part};
  ask(DRM_IOCTL_MODE_DIRTYFB, &dirty, "dirty");

  struct picture pointer = make(64, 64);
  fill(&pointer, 0, 0, 64, 64, 5);
  struct drm_mode_cursor2 cursor = {.flags = DRM_MODE_CURSOR_BO | DRM_MODE_CURSOR_MOVE,
                                    .crtc_id = crtc,
                                    .x = 30,
                                    .y = 40,
                                    .width = 64,
                                    .height = 64,
                                    .handle = pointer.handle,
                                    .hot_x = 3,
                                    .hot_y = 4};
  ask(DRM_IOCTL_MODE_CURSOR2, &cursor, "cursor");
  struct drm_mode_cursor moved = {.flags = DRM_MODE_CURSOR_MOVE, .crtc_id = crtc, .x = 123, .y = 234};
  ask(DRM_IOCTL_MODE_CURSOR, &moved, "move");
  puts("drawn");
  fflush(stdout);
  pause();
  return 0;
}
