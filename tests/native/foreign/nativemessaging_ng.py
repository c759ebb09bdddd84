"""An echo with nativemessaging-ng."""

import nativemessaging

while True:
    nativemessaging.send_message(nativemessaging.get_message())
