# SPDX-License-Identifier: Apache-2.0
"""Words that are too common in lessons to be taken for a person's name without asking. Pure."""

from __future__ import annotations

from lessonspace_provider.transcripts.common_words import COMMON_WORDS, NEVER_ALONE

_WORDS = """
a able about above across act add after again against age ago ahead air all almost alone along already also although
always am among an and angel angle animal another answer any anyone anything apple apply april are area arm around art
article as ask at august autumn away baby back bad ball bank bar base basil be bear beat beautiful because become bed
been before began begin behind being believe below best better between big bill bird black blank blue board boat body
book both bottom box boy break bring brook brooks brother brown build burn but buy by call came can cannot car card
care carry case cat catch cause certain chance change chapter charity chase check cherry child children choose church
circle city clark class classroom clay clean clear close cold cliff colour come common complete computer constant cook
cool corner correct could count country course cover cross cut dad daisy dark dawn day dear decide deep destiny did
die different direct divide do does doctor dog don done door double down draw drew drive drop dry during each early
earth east easy eat edge eight either else end english enough equal even ever every everyone everything exact example
exercise eye face fact faith fall family far fast father feel felt few field figure fill final find fine finish fire
first fish five floor flora flower fly follow food foot for force ford forest form found four fraction frank free
friend from front full game gave gene general ginger girl give go goes going gold gone good got grace grade grant
graph gray great green grey ground group grow guest had half hand happen happy hard harmony has have hazel he head
hear heard heart heat heather heavy help her here herself hey hi high hill him himself his history hold holly home
homework hope horse hot hour house how however hundred hunter i iam ice idea if image in inch inside interest into
ipad iphone iris is island it its itself ivory ivy jack jasmine jay job join joy juan july june just keep key kind
king kitty knew know land language lane large last late laugh lay lead learn least leave led left leg less lesson let
letter level lie life light like lily line list listen little live long look lost lot love low made magic main make
man many map march margin mark mars mason master math maths matter max may maybe me mean measure meet melody men mercy
microphone middle might mike mile miles mind mine minute miss mom money month moon moor more morning most mother
mountain move mr mrs ms much mum music must my myself name nature near need never new next nice nick night nine no
noon north not note nothing notice now number object ocean october of off often oh okay old olive on once one only
open or order other our out over own page pages paige pair paper parent parker part pass past pat patience pattern pay
pearl peace people perhaps person phone phrase picture piece pierce place plain plan plane plant play please point
poppy possible pound power practice pray present press price pupil problem product promise pull purple push put
question quick quiet race rain ran ray read ready real red reed rest rice rich right ring river road rob robin rock
room rose round row ruby rule run rusty said sally same sandy saw say school science screen sea second see seem self
sentence serenity set seven several shall shape she ship short should show side sign simple since sing sister sit six
size skip sky sleep slow small so some someone something son song soon sorry sound south speak special speaker spell
spring square stand star start state stay step sterling still stone stop story street strong student study such sue
summer sun sunny sure sydney table tablet take talk teach teacher tell ten test than thank thanks that the their them
themselves then there these they thing think third this those though thought thousand three through time to today
together told tom tomorrow too took top toward town travel tree true trust try tuesday turn tutor two type under unit
unknown until up upon us use user usual variable verb very victor violet voice wait walk wall want war warm was wash
watch water way we wear weather wednesday week weight well went were west what wheel when where which while white who
whole whose why will willow win wind winter wish with without woman women wonder wood woods word words work world
would write wrong yeah year yes yesterday yet you young your yourself zero admin administrator anonymous erased host
laptop moderator participant al au aus bin da das de del della den der des di dos du e el en es et ibn il ist ja la
las le les lo los nein non o ou oui per que si sie st te un una und une van ver vom von wir y zu
"""

#: Words of lessons in English, device names, roles, and names that are words of another meaning.
EVERYDAY_WORDS = COMMON_WORDS | NEVER_ALONE | frozenset(_WORDS.split())
