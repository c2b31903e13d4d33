// Opened by a start link: forget its token in the history, then press "Continue".
const start = document.getElementById("start");
if (start) {
  history.replaceState(null, "", "/signin");
  start.requestSubmit();
}
