/* A path of a known delay: the far end of a TUN device that answers each echo exactly DELAY microseconds after it took it.
 * usage: delay DEVICE DELAY; at SIGTERM prints how late its answers left: "p50 p99 max" in microseconds */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define HELD 8192
#define SEEN 1000000
#define LONGEST 2048
#define SPUN 300000 /* the last nanoseconds before an answer are spun, because waking takes a tenth of a millisecond */

static struct { long due; int bytes; unsigned char packet[LONGEST]; } held[HELD];
static float late[SEEN];
static volatile sig_atomic_t over;

static void end(int number) { over = number; }

static long now(void) { /* nanoseconds */
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000L + t.tv_nsec;
}

static int rising(const void *a, const void *b) { return (*(float *)a > *(float *)b) - (*(float *)a < *(float *)b); }

static int answer(unsigned char *packet, int bytes) { /* request to reply; 0 when it is no IPv4 echo request */
  int head = (packet[0] & 15) * 4;
  if (packet[0] >> 4 != 4 || packet[9] != 1 || bytes < head + 8 || packet[head] != 8) return 0;
  unsigned char address[4];
  memcpy(address, packet + 12, 4);
  memcpy(packet + 12, packet + 16, 4);
  memcpy(packet + 16, address, 4);
  packet[head] = 0; /* 8 less in the first word: the checksum is 0x0800 more (RFC 1624) */
  unsigned sum = ((packet[head + 2] << 8) | packet[head + 3]) + 0x0800;
  sum = (sum & 0xffff) + (sum >> 16);
  packet[head + 2] = sum >> 8;
  packet[head + 3] = sum;
  return 1;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  long delay = atol(argv[2]) * 1000, first = 0, next = 0, count = 0;
  struct ifreq wanted = {.ifr_flags = IFF_TUN | IFF_NO_PI};
  snprintf(wanted.ifr_name, IFNAMSIZ, "%s", argv[1]);
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
  if (fd < 0 || ioctl(fd, TUNSETIFF, &wanted)) return perror("/dev/net/tun"), 1;
  struct sched_param urgent = {10};
  if (sched_setscheduler(0, SCHED_FIFO, &urgent)) perror("not in real time");
  prctl(PR_SET_TIMERSLACK, 1);
  signal(SIGTERM, end);
  signal(SIGINT, end);
  puts("ready");
  fflush(stdout);
  while (!over) {
    struct pollfd reading = {fd, POLLIN, 0};
    long left = first < next ? held[first % HELD].due - now() - SPUN : 100000000;
    struct timespec pause = {0, left > 0 ? left : 0};
    ppoll(&reading, 1, &pause, NULL);
    while (next - first < HELD) {
      int bytes = read(fd, held[next % HELD].packet, LONGEST);
      if (bytes <= 0) break;
      held[next % HELD].due = now() + delay;
      held[next % HELD].bytes = bytes;
      if (answer(held[next % HELD].packet, bytes)) next++;
    }
    for (; first < next && held[first % HELD].due <= now(); first++) {
      if (count < SEEN) late[count++] = (now() - held[first % HELD].due) / 1000.0;
      if (write(fd, held[first % HELD].packet, held[first % HELD].bytes) < 0) perror("write");
    }
  }
  qsort(late, count, sizeof *late, rising);
  if (count) printf("%.1f %.1f %.1f\n", late[count / 2], late[count * 99 / 100], late[count - 1]);
  return 0;
}
