/* What the disk programs write: a block says which one it is and how often it was written, in all of its words. */
#include <stdint.h>
#include <stddef.h>

#define BLOCK 4096
#define WORDS (BLOCK / sizeof(uint64_t))
/* In a buffer before it is read into. Nothing that is written looks like this. */
#define POISON 0xdb

static inline uint64_t pattern_word(uint64_t block, uint64_t generation, size_t index) {
  if (index == 0) return block;
  if (index == 1) return generation;
  return ((block << 32 | generation << 12 | index) + 1) * 0x9e3779b97f4a7c15u;
}

static inline void pattern_fill(uint64_t *words, uint64_t block, uint64_t generation) {
  for (size_t index = 0; index < WORDS; index++) words[index] = pattern_word(block, generation, index);
}

/* The first word that is wrong, or WORDS. */
static inline size_t pattern_check(const uint64_t *words, uint64_t block, uint64_t generation) {
  for (size_t index = 0; index < WORDS; index++)
    if (words[index] != pattern_word(block, generation, index)) return index;
  return WORDS;
}
