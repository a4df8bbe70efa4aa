// Floor of a request: answers every chunk of one TCP connection with the same bytes. Prints its port, ends with the connection.
#include "floor.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

int main(void) {
  int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  if (bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, 1) < 0) fail("listen");
  getsockname(listener, (struct sockaddr *)&address, &length);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  int peer = accept(listener, NULL, NULL);
  setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  static char buffer[64 * 1024];
  for (;;) {
    ssize_t n = read(peer, buffer, sizeof buffer);
    if (n <= 0) return 0;
    for (ssize_t sent = 0; sent < n;) {
      ssize_t m = write(peer, buffer + sent, (size_t)(n - sent));
      if (m <= 0) return 0;
      sent += m;
    }
  }
}
