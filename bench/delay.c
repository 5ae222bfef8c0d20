/* A path of a known delay: the far end of a veth that answers each echo exactly DELAY microseconds after it came.
 * The kernel stamps when it came, so it does not matter how late we are woken to read it; before it is due we spin.
 * usage: delay INTERFACE DELAY; for each line on standard input it prints how late the answers since the last line had left:
 * "p50 p99 max" in microseconds; ends with the input */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HELD 8192
#define SEEN 1000000
#define LONGEST 2048
#define SPUN 500000 /* the last nanoseconds before an answer are spun: waking an idle virtual CPU takes some tenths of a millisecond */

static struct { long due; int bytes; unsigned char frame[LONGEST]; } held[HELD];
static float late[SEEN];

static long now(void) { /* nanoseconds; the clock of the kernel's stamps */
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return t.tv_sec * 1000000000L + t.tv_nsec;
}

static int rising(const void *a, const void *b) { return (*(float *)a > *(float *)b) - (*(float *)a < *(float *)b); }

static int take(int fd, unsigned char *frame, long *came) { /* a frame and when it came; its bytes, or 0 */
  char room[64];
  struct iovec vector = {frame, LONGEST};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
  int bytes = recvmsg(fd, &message, MSG_DONTWAIT);
  *came = 0;
  for (struct cmsghdr *each = CMSG_FIRSTHDR(&message); bytes > 0 && each; each = CMSG_NXTHDR(&message, each))
    if (each->cmsg_level == SOL_SOCKET && each->cmsg_type == SCM_TIMESTAMPNS) {
      struct timespec t;
      memcpy(&t, CMSG_DATA(each), sizeof t);
      *came = t.tv_sec * 1000000000L + t.tv_nsec;
    }
  return bytes > 0 ? bytes : 0;
}

static void swap(unsigned char *one, unsigned char *other, int bytes) {
  for (; bytes--; one++, other++) {
    unsigned char kept = *one;
    *one = *other;
    *other = kept;
  }
}

static int answer(unsigned char *frame, int bytes) { /* request to reply; 0 when it is no IPv4 echo request */
  unsigned char *packet = frame + ETH_HLEN;
  int head = (packet[0] & 15) * 4;
  if (packet[0] >> 4 != 4 || packet[9] != 1 || bytes < ETH_HLEN + head + 8 || packet[head] != 8) return 0;
  swap(frame, frame + ETH_ALEN, ETH_ALEN);
  swap(packet + 12, packet + 16, 4);
  packet[head] = 0; /* 8 less in the first word: the checksum is 0x0800 more (RFC 1624) */
  unsigned sum = ((packet[head + 2] << 8) | packet[head + 3]) + 0x0800;
  sum = (sum & 0xffff) + (sum >> 16);
  packet[head + 2] = sum >> 8;
  packet[head + 3] = sum;
  return 1;
}

static int open_on(const char *interface) {
  int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_IP)), on = 1, room = 8 << 20;
  struct sockaddr_ll where = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = if_nametoindex(interface)};
  if (fd < 0 || bind(fd, (struct sockaddr *)&where, sizeof where)) return -1;
  setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
  return fd;
}

static void be_punctual(void) { /* on whatever CPU is free: bound to one, it was 3 ms late when the host took that away */
  struct sched_param urgent = {10};
  if (sched_setscheduler(0, SCHED_FIFO, &urgent)) perror("not in real time");
  if (mlockall(MCL_CURRENT | MCL_FUTURE)) perror("not locked in memory");
  prctl(PR_SET_TIMERSLACK, 1);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  long delay = atol(argv[2]) * 1000, first = 0, next = 0, count = 0, came;
  int fd = open_on(argv[1]);
  if (fd < 0) return perror(argv[1]), 1;
  be_punctual();
  puts("ready");
  fflush(stdout);
  while (1) {
    struct pollfd reading[] = {{fd, POLLIN, 0}, {0, POLLIN, 0}};
    long left = first < next ? held[first % HELD].due - now() - SPUN : 100000000;
    struct timespec pause = {0, left > 0 ? left : 0};
    ppoll(reading, 2, &pause, NULL);
    while (next - first < HELD) {
      int bytes = take(fd, held[next % HELD].frame, &came);
      if (!bytes) break;
      held[next % HELD].due = came + delay;
      held[next % HELD].bytes = bytes;
      if (answer(held[next % HELD].frame, bytes)) next++;
    }
    for (; first < next && held[first % HELD].due <= now(); first++) {
      if (send(fd, held[first % HELD].frame, held[first % HELD].bytes, 0) < 0) perror("send");
      if (count < SEEN) late[count++] = (now() - held[first % HELD].due) / 1000.0;
    }
    if (reading[1].revents) {
      char line[64];
      if (read(0, line, sizeof line) <= 0) return 0;
      qsort(late, count, sizeof *late, rising);
      if (count) printf("%.1f %.1f %.1f\n", late[count / 2], late[count * 99 / 100], late[count - 1]);
      else puts("0 0 0");
      fflush(stdout);
      count = 0;
    }
  }
}
