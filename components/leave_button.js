/** Lets go of a call that one has, and leaves the caller alone with it: only for a call whose process is not heard of. It asks first. */

import { ConfirmDialog } from "./confirm_dialog.js";
import { heldCall } from "./held_call.js";

export const LeaveButton = {
  components: { ConfirmDialog },
  props: { texts: { type: Object, required: true } },
  data: () => ({ asked: false }),
  methods: {
    leave() {
      this.asked = false;
      heldCall.leave();
    },
  },
  template: `
    <button type="button" class="lm-button" data-testid="talk-leave" @click="asked = true">{{ texts["talk.leave"] }}</button>
    <confirm-dialog name="talk-leave" :open="asked" :heading="texts['talk.leave.heading']"
                    :body="[texts['talk.leave.body'], texts['talk.leave.bodyHere']]" :confirm-label="texts['talk.leave']"
                    :cancel-label="texts['talk.leave.cancel']" @confirm="leave" @cancel="asked = false" />`,
};
