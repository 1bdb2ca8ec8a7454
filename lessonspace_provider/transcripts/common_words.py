# SPDX-License-Identifier: Apache-2.0
"""Words that are names of people and something else as well, in the languages that schools teach most. Pure."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Parts of display names that name no one, and particles: a name only beside another part of the same name.
NEVER_ALONE = _words(
    "a abu and av bin bint d da dal das de del della dem den der des di do dos du e el en et i ibn ii "
    "iii il jr la las le les los mc of o s san santa st sr te ten ter the thi to und van vom von vor y z zu zum zur "
    "admin android boy class classroom computer dad desktop device dr family father frau girl group guest herr home "
    "host ipad iphone kid laptop madame me mama mister mobile mom monsieur mother mr mrs ms miss mum mummy my no "
    "parent parents pc phone prof professor pupil room samsung school senor senora sir speaker student students tablet "
    "teacher test tutor unknown user windows year zoom בן בת אל בר ابن بن بنت أبو ابو"
)

#: Names that begin many sentences as other words do. At a sentence's start they are taken for names only before a
#: comma or another mark.
SENTENCE_STARTERS = _words(
    "an any can do don so may will you one see now new old our long her his in is it on or up us we he she be by go if "
    "am as at my no to oh ok art bill mark pat such even ever eve war die hat bei mit so da du es er sie wir ihr ist "
    "sol mar son sin con que luz"
)

#: Names that are words of another meaning: only with a capital are they taken for names.
COMMON_WORDS = SENTENCE_STARTERS | _words(
    # English, given names
    "amber angel april arc archer art ash august autumn bell berry blaze blue brook brooke buddy candy carol "
    "cash chance chase christian chip cherry clay cliff coral crystal daisy dale dawn dean destiny dot drew "
    "earl faith fern forest frank gale gay gene ginger grace grant guy happy harmony "
    "haven hazel heather heaven honey hope hunter iris ivy jewel joy judge juan june "
    "junior justice king kit lance lane laurel lily lotus love lucky major mason "
    "melody mercy merit miles mint misty nature norm ocean olive opal page paige pansy parker patience "
    "pearl penny pepper piper pop poppy precious prince princess prudence queen rain ray red reed rich "
    "river rob robin rock rod rose ruby sage sandy scarlet scout sienna skip sky "
    "star stone storm sue summer sunny tiger "
    "trip trust van violet wade warden warren willow winter wolf wren "
    # English, family names
    "baker ball banks barber bass bear bird bishop black bloom bond boot bridge brown bush butcher butler carpenter "
    "carter case chapel church clark clerk cook cooper cotton court cox cross day dear drake duke farmer field fields "
    "fish fisher fox flower flowers ford freeman french frost fry gold golden good goodman gray green grey hall hammer "
    "hand hart head heart hill holiday holly hood house hull hunt keen key knight lake lamb law little lord "
    "love low marsh marshall may mayor miller moon moody moore morning mouse nail noble north pace page paint palmer "
    "park pepper pike pitt plant pool pope post potter pound power price prior rice rider right rivers root rush sand "
    "savage shepherd sharp short silver singer small smart smith snow song south spring square steel sterling strange "
    "street strong sun swan sweet swift tailor temple turner wall ward water waters weaver web weeks well wells "
    "west white wild wise wood woods word work worth wright yard young "
    # German
    "alter bauer baum beck becker berg bergmann blum braun engel ernst falke fink fischer frei frey freitag fuchs "
    "gross grosse grun hahn hase heim herbst herr herz hirsch hoch huber jager jung jungen kaiser kalt kern klein "
    "kluge koch konig krieg krug kuhn kurz lang lange licht lieb linde lowe mai maler mann meer meister mond morgen "
    "muller neu neumann ostern pfeiffer reich reif richter ritter rot ruf sauer scharf schatz schmidt schneider "
    "schnell schon schreiber schulz schuster schwarz see sommer sonntag stark stein stern still sturm tag tanne vogel "
    "voll wagner wald weber weiss winter wolf wunder zimmer "
    # French, Spanish, Italian, Portuguese
    "aime ange avril beau belle blanc blanche blanco bon bonne bosco bravo campos carre "
    "chance cher claire clement constant cruz curie dolores doux esperanza "
    "eau fiore fleur flor flores fontaine fort garcon grand gris guerra hiver iglesia jour "
    "juste leal libre lobo loup luna maison marin marine marron mercedes merci moreno mur nieve "
    "noble noel nom oro palma pan papas pastor paz pena petit piedra pierre pin plaza "
    "pont prudente prado precieux reina reine rey rios rio rivera roche roi roja rojo romero rosa rousseau roux "
    "rubio sabio sage santos sierra silva temps torres vega verde vert victoire vida "
    "violeta "
    # Dutch and the Nordic languages
    "bakker bjork boer bos bosch dahl dijk falk groot hav koning kuiper lind lund mulder sky smit storm visser vos "
    "wit bar bat mac"
)
