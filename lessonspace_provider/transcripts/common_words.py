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

#: Names that are words of another meaning, and words of lessons: only with a capital are they taken for names.
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
    "wit bar bat mac "
    # Other words of lessons, devices and roles
    "able about above across act add after again against age ago ahead air all almost alone along already also "
    "although always among angle animal another answer anyone anything apple apply are area arm around article ask "
    "away baby back bad bank base basil beat beautiful because become bed been before began begin behind being "
    "believe below best better between big blank board boat body book both bottom box break bring brooks brother "
    "build burn but buy call came cannot car card care carry cat catch cause certain change chapter charity check "
    "child children choose circle city clean clear close cold colour come common complete cool corner correct could "
    "count country course cover cut dark decide deep did different direct divide does doctor dog done door double "
    "down draw drive drop dry during each early earth east easy eat edge eight either else end english enough equal "
    "every everyone everything exact example exercise eye face fact fall far fast feel felt few figure fill final "
    "find fine finish fire first five floor flora fly follow food foot for force form found four fraction free friend "
    "from front full game gave general give goes going gone got grade graph great ground grow had half happen hard "
    "has have hear heard heat heavy help here herself hey hi high him himself history hold homework horse hot hour "
    "how however hundred iam ice idea image inch inside interest into island its itself ivory jack jasmine jay job "
    "join july just keep kind kitty knew know land language large last late laugh lay lead learn least leave led left "
    "leg less lesson let letter level lie life light like line list listen live look lost lot made magic main make "
    "man many map march margin mars master math maths matter max maybe mean measure meet men microphone middle might "
    "mike mile mind mine minute money month moor more most mountain move much music must myself name near need never "
    "next nice nick night nine noon not note nothing notice number object october off often okay once only open order "
    "other out over own pages pair paper part pass past pattern pay peace people perhaps person phrase picture piece "
    "pierce place plain plan plane play please point possible practice pray present press problem product promise "
    "pull purple push put question quick quiet race ran read ready real rest ring road round row rule run rusty said "
    "same saw say science screen sea second seem self sentence serenity set seven several shall shape ship "
    "should show side sign simple since sing sister sit six size sleep slow some someone something soon sorry sound "
    "speak special spell stand start state stay step stop story study sure sydney table take talk teach tell than "
    "thank thanks that their them themselves then there these they thing think third this those though thought "
    "thousand three through time today together told tomorrow too took top toward town travel tree true try "
    "tuesday turn two type under unit until upon use usual variable verb very victor voice wait walk want warm was "
    "wash watch way wear weather wednesday week weight went were what wheel when where which while who whole whose "
    "why win wind wish with without woman women wonder words world would write wrong yeah yes yesterday yet your "
    "yourself zero administrator anonymous erased moderator participant al au aus ja lo nein non ou oui per si un una "
    "une ver"
)
