"""Names of days and months in the languages of introductions, as the CLDR has them.

Written down, because reading them from Babel takes 36 MB and half a second. A test compares both.
"""

from __future__ import annotations

_WORDS = """
abr abril ag ago agost agosto agu agustus août apr april aprile aprilie apríl apríla ara aralık aug
august augusta augusti augustus augusztus avr avril ağu ağustos ba bře březen března bảy chủ cmt cn cs
csütörtök cum cuma cumartesi cze czerwca czerwiec czw czwartek d dc de dec december decembra decembrie
des desember desembre dez dezember dezembro dg di dic dicembre diciembre dienstag dijous dilluns dim
dimanche dimarts dimecres dinsdag dissabte diumenge divendres dj dl do dom domenica domingo donderdag
donnerstag ds dt dub duben dubna dum duminică dv déc décembre eki ekim elo elokuu elokuuta ene enero eyl
eylül feb febbraio febr febrer febrero februar februari februarie february február februára feira fev
fevereiro fr fre fredag freitag fri friday févr février gen gener gennaio gio giovedì giu giugno gru
grudnia grudzień h hai haz haziran heinä heinäkuu heinäkuuta helmi helmikuu helmikuuta huhti huhtikuu
huhtikuuta hétfő ian ianuarie iul iulie iun iunie jan janeiro januar januari january január januára janv
janvier jeu jeudi joi joulu joulukuu joulukuuta jue jueves juil juillet juin jul julho juli julio juliol
july jum jumat jun june junho juni junio juny júl júla július jún júna június k kam kamis kas kasım ke
kedd keskiviikko keskiviikkona kesä kesäkuu kesäkuuta kol kolovoz kolovoza kvě květen května kwi
kwiecień kwietnia la lauantai lauantaina led leden ledna lip lipanj lipca lipiec lipnja lis listopad
listopada listopadu loka lokakuu lokakuuta lug luglio lun lundi lunedì lunes luni lut lutego luty lör
lördag lør lørdag ma maalis maaliskuu maaliskuuta maanantai maanantaina maandag maart mag maggio mai
maig maio maj maja man mandag mar marca march mardi marec maret marras marraskuu marraskuuta mars mart
martedì martes martie marts marzec marzo març março marți may mayo mayıs mei mer mercoledì mercredi mi
mie miercuri min minggu mittwoch mié miércoles mo mon monday montag mrt máj mája május márc március mär
märz mån måndag ne ned nedeľa nedjelja neděle nhật niedz niedziela nis nisan noiembrie nov november
novembra novembre novembro noviembre năm oca ocak oct october octobre octombrie octubre okt oktober
október októbra ons onsdag ott ottobre out outubro ožu ožujak ožujka p paz pazar pazartesi paź
październik października pe per perjantai perjantaina perşembe pet petak pi piatok piątek po pon
pondelok pondělí ponedjeljak poniedziałek pro prosinac prosinca prosince prosinec pt pzt pá pátek péntek
qua quarta qui quinta rab rabu ruj rujan rujna sa sab sabato sabtu sal salı sam samedi samstag sat
saturday seg segunda sel selasa sen senin sep sept september septembra septembre septembrie septiembre
set setembre setembro settembre sex sexta sie sierpień sierpnia sij siječanj siječnja so sob sobota
sonntag sri srijeda srp srpanj srpen srpna srpnja st streda stu studeni studenoga sty styczeń stycznia
středa su sub subota sun sunday sunnuntai svi svibanj svibnja syys syyskuu syyskuuta sze szept
szeptember szerda szo szombat sáb sábado sáu sâm sâmbătă sön söndag søn søndag tammi tammikuu tammikuuta
tem temmuz ter terça th thg thu thursday tháng thứ ti tiistai tiistaina tir tirs tirsdag tis tisdag to
tor tors torsdag torstai torstaina touko toukokuu toukokuuta tra travanj travnja tue tuesday tư ut uto
utorak utorok v vasárnap velj veljača veljače ven vendredi venerdì vie viernes vin vineri vr vrijdag wed
wednesday wo woensdag wrz wrzesień września wt wtorek za zaterdag zo zondag zář září ápr április çar
çarşamba úno únor února út úterý červen července červenec června čet četvrtak čt čtvrtek čvc čvn říj
říjen října śr środa şub şubat št štvrtok απρ απρίλιος απριλίου αυγ αυγούστου αύγ αύγουστος δεκ
δεκέμβριος δεκεμβρίου δευ δευτέρα ιαν ιανουάριος ιανουαρίου ιουλ ιουλίου ιουν ιουνίου ιούλ ιούλιος ιούν
ιούνιος κυρ κυριακή μάι μάιος μάρ μάρτιος μαΐ μαΐου μαρ μαρτίου νοέ νοέμβριος νοε νοεμβρίου οκτ
οκτωβρίου οκτώβριος πέμ πέμπτη παρ παρασκευή σάβ σάββατο σεπ σεπτέμβριος σεπτεμβρίου τετ τετάρτη τρί
τρίτη φεβ φεβρουάριος φεβρουαρίου авг август августа апр апрель апреля април бер березень березня вер
вересень вересня воскресенье вс вт вторник вівторок груд грудень грудня дек декабрь декабря декември
жовт жовтень жовтня июл июль июля июн июнь июня квіт квітень квітня лип липень липня лист листопад
листопада лют лютий лютого май мар март марта мая нд неделя неділя ное ноември нояб ноябрь ноября окт
октомври октябрь октября пʼятниця петък пн понеделник понедельник понеділок пт пятница сб сент сентябрь
сентября сеп септември середа серп серпень серпня ср среда сряда суббота субота събота січ січень січня
трав травень травня фев февр февраль февраля февруари черв червень червня четвер четверг четвъртък чт
юли юни янв январь января яну януари א אוג אוגוסט אוק אוקטובר אפר אפריל ב ג ד דצמ דצמבר ה ו חמישי יולי
יום יוני ינו ינואר מאי מרץ נוב נובמבר ספט ספטמבר פבר פברואר ראשון רביעי שבת שישי שלישי שני أبريل أغسطس
أكتوبر الأحد الأربعاء الاثنين الثلاثاء الجمعة الخميس السبت ديسمبر سبتمبر فبراير مارس مايو نوفمبر يناير
يوليو يونيو ก กร กรกฎาคม กายน ค งคาร งหาคม จ ต ตย ถ ธ นจ นทร นธ นพ นพฤห นยายน นวาคม นศ นอ นอาท นาคม นายน
นเสาร พ พฤ พฤศจ พฤษภาคม ม มกราคม มภาพ ย ลาคม ว ศ ส สบด อ อา เม เมษายน 一月 七月 三月 九月 二月 五月 八月
六月 十一月 十二月 十月 周一 周三 周二 周五 周六 周四 周日 四月 土 土曜日 日 日曜日 星期一 星期三 星期二
星期五 星期六 星期四 星期日 月 月曜日 木 木曜日 水 水曜日 火 火曜日 金 金曜日 금 금요일 목 목요일 수
수요일 월 월요일 일 일요일 토 토요일 화 화요일
"""
WORDS = frozenset(_WORDS.split())
