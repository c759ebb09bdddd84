"""An echo with nativemessaging-ng, to which null and the end of file are the same."""

import nativemessaging

while (message := nativemessaging.get_message()) is not None:
    nativemessaging.send_message(message)
